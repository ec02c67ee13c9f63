# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every tunable number, once: value, unit, range and the reason for it.

ROS parameters, the command line's defaults and the checkpoint's metadata are all generated from these dataclasses, so a
default exists in this folder and nowhere else. A field made with `setting` checks its range when the dataclass is built.
"""

from urban_map_loc.config.atlas import AtlasConfig, AtlasTrainingConfig, RegionsConfig
from urban_map_loc.config.baselines import (
    BaselinesConfig,
    BuildingDistanceConfig,
    FeatureMatchConfig,
    MapNetPlusConfig,
    QuestionsConfig,
    ReferencesConfig,
    RingMatchConfig,
    SiftConfig,
    VocabularyConfig,
)
from urban_map_loc.config.cloud import CloudConfig
from urban_map_loc.config.conversion import ConversionConfig
from urban_map_loc.config.criterion import AdaptConfig, CriterionConfig
from urban_map_loc.config.doctor import DoctorConfig
from urban_map_loc.config.export import ExportConfig
from urban_map_loc.config.fcn import FcnConfig, FcnGridConfig, FcnTrainingConfig
from urban_map_loc.config.learned_baselines import CvftConfig, NetVladConfig, PoseNetConfig, RetrievalConfig, VLocNetConfig
from urban_map_loc.config.localization import (
    FusionConfig,
    GnssConfig,
    LocalizerConfig,
    PriorConfig,
    TrackingConfig,
    VerificationConfig,
)
from urban_map_loc.config.map import DownloadConfig, RasterConfig, RoadConfig, TileSetConfig
from urban_map_loc.config.node import DiagnosticsConfig, NodeConfig
from urban_map_loc.config.reading import ReadingConfig
from urban_map_loc.config.report import RecordingConfig, ReportConfig
from urban_map_loc.config.simulation import WORLDS, SimulationConfig, simulation_config
from urban_map_loc.config.stereo import StereoConfig
from urban_map_loc.config.submap import SubmapConfig
from urban_map_loc.config.tile import BUILDINGS, BUILDINGS_AND_ROADS, ScanEffectsConfig, TileConfig
from urban_map_loc.config.training import MapNetConfig, PretrainingConfig, SamplerConfig, TrainConfig, TrainingConfig
from urban_map_loc.config.variants import train_config

__all__ = [
    "BUILDINGS",
    "BUILDINGS_AND_ROADS",
    "WORLDS",
    "AdaptConfig",
    "AtlasConfig",
    "AtlasTrainingConfig",
    "BaselinesConfig",
    "BuildingDistanceConfig",
    "CloudConfig",
    "ConversionConfig",
    "CriterionConfig",
    "CvftConfig",
    "DiagnosticsConfig",
    "DoctorConfig",
    "DownloadConfig",
    "ExportConfig",
    "FcnConfig",
    "FcnGridConfig",
    "FcnTrainingConfig",
    "FeatureMatchConfig",
    "FusionConfig",
    "GnssConfig",
    "LocalizerConfig",
    "MapNetConfig",
    "MapNetPlusConfig",
    "NetVladConfig",
    "NodeConfig",
    "PoseNetConfig",
    "PretrainingConfig",
    "PriorConfig",
    "QuestionsConfig",
    "RasterConfig",
    "ReadingConfig",
    "RecordingConfig",
    "ReferencesConfig",
    "RegionsConfig",
    "ReportConfig",
    "RetrievalConfig",
    "RingMatchConfig",
    "RoadConfig",
    "SamplerConfig",
    "ScanEffectsConfig",
    "SiftConfig",
    "SimulationConfig",
    "StereoConfig",
    "SubmapConfig",
    "TileConfig",
    "TileSetConfig",
    "TrackingConfig",
    "TrainConfig",
    "TrainingConfig",
    "VLocNetConfig",
    "VerificationConfig",
    "VocabularyConfig",
    "simulation_config",
    "train_config",
]
