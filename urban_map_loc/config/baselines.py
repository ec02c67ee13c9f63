# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The other systems that this one is compared with: a section each, and what they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi

from urban_map_loc.config.learned_baselines import CvftConfig, NetVladConfig, PoseNetConfig, RetrievalConfig, VLocNetConfig
from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class AnswersConfig(Section):
    """How the systems' ranked poses become distinct answers."""

    distinct_m: float = setting(4.0, "answers nearer than this to a better one, and heading as it does, are left out", unit="m", low=0.0)
    distinct_rad: float = setting(pi / 6, "headings nearer than this are the same", unit="rad", low=0.0, high=pi)
    looked_through: int = setting(4000, "so many of the best poses are looked through for distinct ones", low=1)
    region_m: float = setting(8.0, "half the side of the region about an answer: as large as MapNet's cells", unit="m", low=0.1)


@dataclass(frozen=True)
class ReferencesConfig(Section):
    """Where retrieval systems look at the map: along the roads, as MapNet's cells do."""

    spacing_m: float = setting(3.0, "distance between views along roads, as MapNet's", unit="m", low=0.5, high=50.0)
    headings: int = setting(
        8, "headings in which each place is looked at, for descriptors that do not survive turning; 45 degrees apart", low=1, high=72
    )


@dataclass(frozen=True)
class BaselinesConfig(Section):
    """All of them."""

    answers: AnswersConfig = field(default_factory=AnswersConfig)
    references: ReferencesConfig = field(default_factory=ReferencesConfig)
    posenet: PoseNetConfig = field(default_factory=PoseNetConfig)
    vlocnet: VLocNetConfig = field(default_factory=VLocNetConfig)
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    netvlad: NetVladConfig = field(default_factory=NetVladConfig)
    cvft: CvftConfig = field(default_factory=CvftConfig)
