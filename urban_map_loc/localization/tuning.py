# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Other settings for a localizer that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urban_map_loc.config import LocalizerConfig

if TYPE_CHECKING:
    from urban_map_loc.localization.localizer import Localizer

# Sections that a running localizer can take; the others have become tables or memory when it was made.
TUNABLE = ("cloud", "fusion", "tracking", "prior", "gnss")
# Settings of these sections that have become memory, or the name of a file that is read at the start.
FIXED = ("cloud.kind", "cloud.fcn_model", "fusion.window_scans")


def tune(localizer: Localizer, config: LocalizerConfig) -> None:
    """Take the settings of `TUNABLE` from the next message on; of the other sections the localizer keeps its own."""
    localizer.config = config
    localizer.odometry.config = localizer.drive.config = config.fusion
    localizer.finder.config = localizer.rules.config = config.fusion
    localizer.aids.config = localizer.aids.gnss.config = config.gnss
    localizer.aids.priors.config = config.prior
    if localizer.tracker is not None:
        localizer.tracker.config, localizer.tracker.slip.config = config, config.fusion
        localizer.tracker.window.config = localizer.tracker.unaided.config = config.tracking
