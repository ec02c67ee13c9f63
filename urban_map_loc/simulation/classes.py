"""SemanticKITTI's classes of what a simulated ray can meet (Behley et al. 2019, table of labels)."""

VEHICLE, PERSON, ROAD, BUILDING, FENCE, VEGETATION, TRUNK, POLE = 10, 30, 40, 50, 51, 70, 71, 80
