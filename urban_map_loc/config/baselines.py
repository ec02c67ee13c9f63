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


@dataclass(frozen=True)
class QuestionsConfig(Section):
    """Which scans of a drive the systems are asked about."""

    at_most: int = setting(1500, "scans of a bag; of more, so many are taken evenly: neighbours hardly differ", low=1)
    previous_m: float = setting(8.0, "how far back the previous view of systems that use one lies", unit="m", low=0.1, high=100.0)


@dataclass(frozen=True)
class RingMatchConfig(Section):
    """The FFT ring match."""

    spacing_m: float = setting(2.0, "distance between places along roads", unit="m", low=0.2, high=50.0)
    directions: int = setting(180, "directions of a ring, and headings tried: 2 degrees, 1.7 m at 50 m", low=16, high=720)
    sigma_m: float = setting(
        3.0,
        "how far apart ranges fit: a car's distance from the road's middle, and the map's errors; on tiles drawn from a map 2.5 and 4 do "
        "as well, and 1.5 loses a tenth of the recall",
        unit="m",
        low=0.1,
    )
    open_fit: float = setting(
        0.3, "what a direction counts in which scan and map see no wall; one in which both see the same wall counts 1", low=0.0, high=1.0
    )
    range_step_m: float = setting(3.0, "steps of range, between which fits are interpolated; at most sigma_m", unit="m", low=0.2)


@dataclass(frozen=True)
class BuildingDistanceConfig(Section):
    """Cho et al.'s descriptor of distances to buildings."""

    spacing_m: float = setting(1.0, "distance between places along roads", unit="m", low=0.2, high=50.0)
    directions: int = setting(360, "angles of the descriptor: 1 degree, as in the paper", low=16, high=720)
    key_step_m: float = setting(5.0, "width of the distance histogram's bins in the rotation-invariant key", unit="m", low=0.5)
    candidates: int = setting(500, "places that the key hands on to the descriptor", low=1)


@dataclass(frozen=True)
class SiftConfig(Section):
    """SIFT of tiles."""

    blur_px: float = setting(1.5, "walls are lines a pixel wide; blurred so much they have gradients", unit="px", low=0.3, high=10.0)
    grid_px: int = setting(3, "upright descriptors: one wall pixel in each square of this side", unit="px", low=1, high=64)
    patch_px: float = setting(6.0, "size of their keypoints: a descriptor sees about six times as far", unit="px", low=1.0, high=64.0)
    contrast: float = setting(0.02, "SIFT's detector: least contrast of a keypoint; half of OpenCV's, since lines are thin", low=0.0)
    edge: float = setting(20.0, "the same: largest ratio of curvatures; twice OpenCV's, since lines are edges", low=1.0)


@dataclass(frozen=True)
class VocabularyConfig(Section):
    """Words made of local descriptors by hierarchical k-means."""

    branching: int = setting(4, "children of each node", low=2, high=64)
    depth: int = setting(2, "levels; words are branching to the power of depth", low=1, high=8)
    tiles: int = setting(512, "tiles drawn as for training, of whose descriptors words are made", low=1)
    descriptors: int = setting(20_000, "descriptors of these that are clustered", low=2)


@dataclass(frozen=True)
class FeatureMatchConfig(Section):
    """Feature matching and RANSAC."""

    spacing_m: float = setting(6.0, "distance along roads between the map's views whose keypoints are taken", unit="m", low=0.5, high=50.0)
    matches: int = setting(20, "most alike keypoints of the map that each of the tile's is matched with: blocks repeat", low=1)
    samples: int = setting(100_000, "pairs of matches tried; most are thrown away at once, as their lengths differ", low=1)
    inlier_m: float = setting(2.0, "a match agrees with a pose that brings it so near", unit="m", low=0.1)
    baseline_m: float = setting(8.0, "least distance of a pair: 2 m of error then turn it by 14 degrees", unit="m", low=0.5)
    checked: int = setting(400, "poses with the most agreeing matches whose hits are compared with walls", low=1)
    wall_m: float = setting(1.0, "a hit so near to a wall lies on it", unit="m", low=0.1)


@dataclass(frozen=True)
class MapNetPlusConfig(Section):
    """MapNet+ among the systems."""

    drive_share: float = setting(0.3, "share of the budget that goes on the drives, after the map", low=0.05, high=0.95)


@dataclass(frozen=True)
class BaselinesConfig(Section):
    """All of them."""

    questions: QuestionsConfig = field(default_factory=QuestionsConfig)
    answers: AnswersConfig = field(default_factory=AnswersConfig)
    ring_match: RingMatchConfig = field(default_factory=RingMatchConfig)
    building_distance: BuildingDistanceConfig = field(default_factory=BuildingDistanceConfig)
    sift: SiftConfig = field(default_factory=SiftConfig)
    vlad: VocabularyConfig = field(default_factory=VocabularyConfig)
    vocabulary_tree: VocabularyConfig = field(default_factory=lambda: VocabularyConfig(branching=8, depth=3))
    feature_match: FeatureMatchConfig = field(default_factory=FeatureMatchConfig)
    mapnet_plus: MapNetPlusConfig = field(default_factory=MapNetPlusConfig)
    references: ReferencesConfig = field(default_factory=ReferencesConfig)
    posenet: PoseNetConfig = field(default_factory=PoseNetConfig)
    vlocnet: VLocNetConfig = field(default_factory=VLocNetConfig)
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    netvlad: NetVladConfig = field(default_factory=NetVladConfig)
    cvft: CvftConfig = field(default_factory=CvftConfig)
