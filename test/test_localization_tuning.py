# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Other settings reach every part of a running localizer."""

from __future__ import annotations

from dataclasses import replace

from drives import straight, untrained
from towns import crossing

from urban_map_loc.config import FusionConfig, GnssConfig, LocalizerConfig, PriorConfig, TrackingConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.result import State
from urban_map_loc.localization.tuning import TUNABLE, tune

AREA = crossing()


def configs_in(part: object, seen: set[int]) -> list[object]:
    """Every settings object that hangs on a part of the localizer."""
    if id(part) in seen or not type(part).__module__.startswith("urban_map_loc.localization"):
        return []
    seen.add(id(part))
    found = [part.config] if hasattr(part, "config") else []
    for name, value in vars(part).items() if hasattr(part, "__dict__") else ():
        found += configs_in(value, seen) if name != "config" else []
    return found


def test_every_part_of_a_locked_localizer_takes_other_settings() -> None:
    loc = Localizer.of_area(AREA, untrained(AREA), LocalizerConfig())
    moments = list(straight(AREA, Pose2(-70.0, -1.0, 0.0), 40.0))
    for moment in moments[:-1]:
        loc.add_odometry(moment.stamp_s, moment.T_odom_base)
        result = loc.add_cloud(moment.cloud)
    assert result.state is State.LOCKED
    other = replace(
        LocalizerConfig(),
        fusion=FusionConfig(map_sigma_m=5.0),
        tracking=TrackingConfig(iterations=3),
        prior=PriorConfig(advantage=0.1),
        gnss=GnssConfig(use=False),
    )
    tune(loc, other)
    wanted = {id(other), *(id(getattr(other, section)) for section in TUNABLE)}
    kept = [c for c in configs_in(loc, set()) if id(c) not in wanted]
    assert {type(c).__name__ for c in kept} == {"VerificationConfig"}  # of which tables have been made
    loc.add_odometry(moments[-1].stamp_s, moments[-1].T_odom_base)
    result = loc.add_cloud(moments[-1].cloud)
    assert result.estimate is not None
    assert result.estimate.covariance[0, 0] > 25.0
