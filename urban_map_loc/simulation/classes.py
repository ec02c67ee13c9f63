# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""SemanticKITTI's classes of what a simulated ray can meet (Behley et al. 2019, table of labels), and how bright they are."""

VEHICLE, PERSON, ROAD, BUILDING, FENCE, VEGETATION, TRUNK, POLE = 10, 30, 40, 50, 51, 70, 71, 80
# Diffuse reflectance at a lidar's 905 nm, rounded: asphalt is dark, brick and paint are middling, leaves are bright in the near infrared.
REFLECTIVITY = {VEHICLE: 0.4, PERSON: 0.4, ROAD: 0.15, BUILDING: 0.35, FENCE: 0.3, VEGETATION: 0.5, TRUNK: 0.3, POLE: 0.5}
