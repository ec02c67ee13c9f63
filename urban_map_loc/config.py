"""Every tunable number, once: value, unit, range and the reason for it.

ROS parameters, the command line's defaults and the checkpoint's metadata are all generated from these dataclasses, so a
default exists in this file, or in `config_map.py` which it passes on, and nowhere else. A field made with `setting` checks
its range when the dataclass is built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi

from urban_map_loc.config_map import BUILDINGS as BUILDINGS
from urban_map_loc.config_map import BUILDINGS_AND_ROADS as BUILDINGS_AND_ROADS
from urban_map_loc.config_map import DownloadConfig as DownloadConfig
from urban_map_loc.config_map import RoadConfig as RoadConfig
from urban_map_loc.config_map import TileSetConfig as TileSetConfig
from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class RasterConfig(Section):
    """The area's rasters that rendering and verification read."""

    resolution_m: float = setting(
        0.5, "pixel of the building raster; half the tile's pixel, finer than OSM footprints are accurate", unit="m", low=0.1, high=2.0
    )
    margin_m: float = setting(60.0, "border around the buildings, so that rays that leave the area need no check", unit="m", low=0.0)


@dataclass(frozen=True)
class TileConfig(Section):
    """The ego-centred tile, base frame, that MapNet sees."""

    size_px: int = setting(96, "side of the square tile", unit="px", low=16, high=512)
    resolution_m: float = setting(1.0, "pixel of the tile; OSM walls are about this accurate", unit="m", low=0.1, high=5.0)
    range_m: float = setting(
        50.0, "walls further away than this are not used: map and scan are cut at the same range", unit="m", low=5.0, high=300.0
    )
    sectors: int = setting(720, "beams across the field of view; the nearest building point in each is kept", low=90, high=3600)
    field_of_view_rad: float = setting(
        2.0 * pi,
        "horizontal field of view, centred forward: a full turn for spinning lidars, less for stereo",
        unit="rad",
        low=0.1,
        high=2.0 * pi,
    )
    sensor_height_m: float = setting(
        0.0,
        "buildings known to be lower are looked over; 0: none, right for sensors with beams that point down",
        unit="m",
        low=0.0,
        high=20.0,
    )
    channels: str = setting(
        BUILDINGS,
        "what a tile shows: walls alone, or also the road surface that the rays pass over, as in the MapNet thesis",
        choices=(BUILDINGS, BUILDINGS_AND_ROADS),
    )

    @property
    def planes(self) -> int:
        """Number of channels of a tile."""
        return 2 if self.channels == BUILDINGS_AND_ROADS else 1

    @property
    def sectors_per_turn(self) -> int:
        """As many sectors as wide as a beam would make a full turn."""
        return round(self.sectors * 2.0 * pi / self.field_of_view_rad)


@dataclass(frozen=True)
class ScanEffectsConfig(Section):
    """What real scans suffer and a map does not: applied to training tiles so that MapNet survives it."""

    range_noise_m: float = setting(0.15, "standard deviation of a range", unit="m", low=0.0, high=5.0)
    dropout: float = setting(0.10, "share of rays without a return", low=0.0, high=1.0)
    hidden_sectors: int = setting(8, "at most so many sectors are hidden, beyond a random range, by vehicles and trees", low=0, high=50)
    hidden_sector_rad: float = setting(0.5, "widest hidden sector", unit="rad", low=0.0, high=3.1416)
    minimum_range_m: float = setting(
        30.0, "tiles are cut at a random range between this and the tile's: sensors differ in reach", unit="m", low=1.0
    )
    missing_buildings: float = setting(
        0.05, "share of buildings that a tile's world lacks: maps are older or newer than scans", low=0.0, high=1.0
    )
    clutter: float = setting(0.05, "share of rays stopped early by something taken for a wall (hedge, fence, lorry)", low=0.0, high=1.0)
    moved_building_m: float = setting(
        0.6, "how far a building's wall may be moved along the ray, triangular about 0", unit="m", low=0.0, high=10.0
    )
    bare_walls: float = setting(0.05, "share of buildings that hide what is behind but give no hits (ivy, trees, glass)", low=0.0, high=1.0)


@dataclass(frozen=True)
class SamplerConfig(Section):
    """Where training poses are drawn: along the drivable roads."""

    lateral_m: float = setting(1.5, "standard deviation across the road", unit="m", low=0.0, high=20.0)
    heading_rad: float = setting(0.15, "standard deviation about the road's direction or its opposite", unit="rad", low=0.0)
    any_heading: float = setting(0.1, "share of poses with a uniformly random heading: turning, parking", low=0.0, high=1.0)


@dataclass(frozen=True)
class MapNetConfig(Section):
    """The network: a convolutional trunk and a head."""

    preset: str = setting("small", "trunk: small for processors, resnet34 as in the MapNet paper", choices=("small", "resnet34"))
    head: str = setting(
        "cells", "cells: a probability per position cell; regression: position and heading directly", choices=("cells", "regression")
    )
    cell_size_m: float = setting(16.0, "side of a position cell", unit="m", low=2.0, high=200.0)
    cell_road_reach_m: float = setting(8.0, "cells further than this from every road are left out: cars stay on roads", unit="m", low=0.0)
    heading_bins: int = setting(16, "headings per turn for which a cell has a probability of its own", low=1, high=72)
    feature_size: int = setting(512, "length of the feature between trunk and head", low=16, high=4096)
    gate_size: int = setting(128, "length of a cell's embedding, from which offset and heading inside it are read", low=4, high=1024)
    regression_reach_m: float = setting(24.0, "how far from a regressed position to look when it is checked", unit="m", low=1.0)
    dropout: float = setting(0.0, "dropout of the feature while training", low=0.0, high=0.9)


@dataclass(frozen=True)
class TrainingConfig(Section):
    """How MapNet is trained."""

    minutes: float = setting(10.0, "time budget; 0 when steps are given", unit="min", low=0.0)
    steps: int = setting(0, "number of optimizer steps; 0 when minutes are given", low=0)
    batch_size: int = setting(128, "tiles per step", low=2, high=4096)
    learning_rate: float = setting(2e-3, "peak of the cosine schedule (AdamW)", low=1e-6, high=1.0)
    weight_decay: float = setting(0.01, "AdamW's decoupled weight decay", low=0.0, high=1.0)
    warmup_steps: int = setting(100, "steps over which the learning rate rises", low=0)
    label_smoothing: float = setting(0.02, "probability given to the other cells", low=0.0, high=0.5)
    offset_weight: float = setting(2.0, "weight of the L1 terms of the true cell's offset and heading", low=0.0)
    gradient_clip: float = setting(5.0, "largest gradient norm", low=0.0)
    validation_tiles: int = setting(1024, "tiles at poses never trained on", low=16)
    checkpoint_seconds: float = setting(60.0, "a killed training loses at most this much", unit="s", low=1.0)


@dataclass(frozen=True)
class CloudConfig(Section):
    """From a cloud to building points."""

    kind: str = setting(
        "auto", "auto: labels where the cloud carries the field `label`, else geometric", choices=("auto", "labels", "geometric")
    )
    building_labels: tuple[int, ...] = setting((50,), "values of the field `label` that mean building (SemanticKITTI: 50)", low=0)
    minimum_range_m: float = setting(2.5, "nearer points are the car itself", unit="m", low=0.0)
    column_size_m: float = setting(0.5, "side of the ground columns that tell walls from the rest", unit="m", low=0.1, high=5.0)
    ground_clearance_m: float = setting(0.3, "points lower than this above the local ground are ground", unit="m", low=0.0)
    wall_height_m: float = setting(2.0, "a wall's column reaches at least so high above the ground: cars do not", unit="m", low=0.5)
    wall_thickness_m: float = setting(
        0.12,
        "points of a wall spread less than this across it, 1 sigma, seen from above; foliage spreads more",
        unit="m",
        low=0.02,
        high=1.0,
    )
    wall_length_m: float = setting(
        3.5, "joined wall columns shorter than this are no building: poles, trunks", unit="m", low=0.0, high=50.0
    )
    minimum_hits: int = setting(20, "scans with fewer building points say nothing and are skipped", low=1)


@dataclass(frozen=True)
class VerificationConfig(Section):
    """Scoring a pose against the map, and choosing among MapNet's cells."""

    cells: int = setting(120, "MapNet's best cells that are checked against the map", low=1, high=5000)
    wall_sigma_m: float = setting(0.8, "a hit this far from the nearest wall scores exp(-1/2)", unit="m", low=0.05, high=10.0)
    through_penalty: float = setting(0.7, "cost of a ray that passes through a building, in hits", low=0.0, high=10.0)
    through_depth_m: float = setting(1.0, "a ray point this deep inside a building counts as passing through it", unit="m", low=0.0)
    position_step_m: float = setting(2.0, "grid of candidate positions", unit="m", low=0.25, high=10.0)
    heading_steps: int = setting(120, "candidate headings per turn", low=8, high=720)
    road_reach_m: float = setting(4.0, "candidates lie this near to a road", unit="m", low=0.5, high=100.0)
    log_probability_weight: float = setting(0.02, "weight of the cell's log-probability in the final score", low=0.0, high=1.0)
    coarse_rays: int = setting(48, "hits used for a first look at every candidate, evenly thinned", low=8, high=2000)
    rays: int = setting(180, "hits used for a second look at the best of them, and for refining", low=8, high=2000)
    hits_per_wall: float = setting(15.0, "neighbouring hits share a wall's error: so many count as one measurement", low=1.0, high=1000.0)
    answers: int = setting(10, "distinct poses offered to fusion", low=1, high=200)
    distinct_m: float = setting(5.0, "answers nearer than this, with like heading, are one", unit="m", low=0.1)
    distinct_rad: float = setting(0.5, "heading difference from which answers are distinct", unit="rad", low=0.01)


@dataclass(frozen=True)
class FusionConfig(Section):
    """Hypotheses carried by odometry; when to lock, when to call it lost."""

    window_m: float = setting(60.0, "the recent drive over which hypotheses compete", unit="m", low=1.0)
    window_scans: int = setting(40, "at most so many scans of it", low=2, high=1000)
    keyframe_m: float = setting(1.0, "distance between the scans of the window", unit="m", low=0.0)
    window_rays: int = setting(90, "hits of a scan that the window keeps, evenly thinned", low=8, high=2000)
    hypotheses: int = setting(64, "hypotheses kept", low=2, high=10000)
    refined_hypotheses: int = setting(12, "of these, so many are refined on the recent drive at each scan", low=1, high=1000)
    search_period_s: float = setting(0.5, "while finding, MapNet is asked this often", unit="s", low=0.0)
    check_period_s: float = setting(2.0, "while locked, MapNet is asked this often for rivals", unit="s", low=0.0)
    lock_distance_m: float = setting(8.0, "drive at least this far before locking", unit="m", low=0.0)
    lock_hits: int = setting(
        600, "see at least so many wall hits (of `window_rays` a scan) before locking: few hits fit in many places by chance", low=1
    )
    lock_score: float = setting(
        0.65,
        "agreement with the map needed to lock; right places reached 0.77 and more, wrong ones outside the map 0.53 to 0.80",
        low=-1.0,
        high=1.0,
    )
    lock_misfit_ratio: float = setting(
        1.5, "every other place leaves this much more unexplained (1 - agreement); wrong places reached 1.4", low=1.0, high=100.0
    )
    lock_margin: float = setting(0.05, "lead over the best other place needed to lock", low=0.0, high=1.0)
    lock_margin_metre: float = setting(0.5, "further lead needed after one metre; it falls with the metres driven", unit="m", low=0.0)
    rival_distance_m: float = setting(10.0, "a hypothesis this far away is another place", unit="m", low=0.5)
    rival_heading_rad: float = setting(0.7, "as is one that heads elsewhere by this much", unit="rad", low=0.05)
    lock_heading_rad: float = setting(0.05, "standard deviation of the heading when locking", unit="rad", low=0.001)
    tracking_window_m: float = setting(20.0, "while locked, the last metres are matched together", unit="m", low=1.0)
    window_correlation: float = setting(10.0, "scans of the tracking window see the same walls again: so many count as one", low=1.0)
    largest_correction_m: float = setting(3.0, "a match further from the prediction is not believed", unit="m", low=0.1)
    lost_sigma_m: float = setting(8.0, "position uncertainty at which a lock is lost", unit="m", low=0.5)
    lost_score: float = setting(0.4, "mean agreement below which a lock is lost", low=-1.0, high=1.0)
    lost_distance_m: float = setting(30.0, "distance without agreement after which a lock is lost", unit="m", low=1.0)
    odometry_noise: float = setting(0.03, "odometry's drift per metre driven, 1 sigma", unit="m/m", low=0.0, high=1.0)
    odometry_heading_noise: float = setting(
        0.0035, "odometry's heading drift after one metre, 1 sigma of a random walk", unit="rad/sqrt(m)", low=0.0, high=1.0
    )
    map_sigma_m: float = setting(0.27, "the map's own position error, floor of the published covariance", unit="m", low=0.01)
    map_sigma_rad: float = setting(0.006, "the same for the heading: walls are drawn askew by about as much", unit="rad", low=0.0001)
    odometry_timeout_s: float = setting(0.5, "odometry older than this at a cloud's stamp means the scan is skipped", unit="s", low=0.01)
    odometry_buffer_s: float = setting(30.0, "odometry kept for late clouds", unit="s", low=0.5)
    teleport_m: float = setting(10.0, "a jump of odometry this large between two messages resets the drive", unit="m", low=0.5)


@dataclass(frozen=True)
class LocalizerConfig(Section):
    """All that the localizer reads while it runs."""

    raster: RasterConfig = field(default_factory=RasterConfig)
    cloud: CloudConfig = field(default_factory=CloudConfig)
    verification: VerificationConfig = field(default_factory=VerificationConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    seed: int = setting(0, "seed of every random choice", low=0)


@dataclass(frozen=True)
class TrainConfig(Section):
    """All that a checkpoint needs to rebuild itself."""

    raster: RasterConfig = field(default_factory=RasterConfig)
    roads: RoadConfig = field(default_factory=RoadConfig)
    tile: TileConfig = field(default_factory=TileConfig)
    effects: ScanEffectsConfig = field(default_factory=ScanEffectsConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    network: MapNetConfig = field(default_factory=MapNetConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = setting(0, "seed of weights and tiles", low=0)


@dataclass(frozen=True)
class SimulationConfig(Section):
    """A simulated drive: the world that OSM does not know, the lidar and the odometry."""

    rate_hz: float = setting(10.0, "scans per second", unit="Hz", low=0.1, high=50.0)
    sensor_height_m: float = setting(1.8, "lidar above the ground, over base_link", unit="m", low=0.1, high=10.0)
    range_noise_m: float = setting(0.025, "standard deviation of a range (HDL-64E: 0.02)", unit="m", low=0.0, high=1.0)
    dropout: float = setting(0.05, "share of rays that never return", low=0.0, high=1.0)
    grazing: float = setting(0.03, "surfaces seen flatter than this (cosine of incidence) do not return: far ground", low=0.0, high=1.0)
    building_shift_m: float = setting(
        0.3, "standard deviation of each building's true position about the map's, each axis", unit="m", low=0.0, high=5.0
    )
    parked_cars: float = setting(0.35, "share of kerb places with a parked car", low=0.0, high=1.0)
    trees: float = setting(0.12, "share of kerb places with a tree", low=0.0, high=1.0)
    hedges: float = setting(0.2, "share of kerb places with a hedge or fence behind them", low=0.0, high=1.0)
    leaf_gaps: float = setting(0.3, "share of rays that pass through leaves", low=0.0, high=1.0)
    traffic_spacing_m: float = setting(70.0, "mean distance between oncoming vehicles", unit="m", low=10.0)
    lorries: float = setting(0.15, "share of moving vehicles that are as high as a lorry", low=0.0, high=1.0)
    odometry_rate_hz: float = setting(50.0, "odometry messages per second", unit="Hz", low=1.0, high=1000.0)
    odometry_scale: float = setting(0.01, "standard deviation of a drive's constant error of distance", low=0.0, high=0.5)
    odometry_drift_rad_m: float = setting(0.0003, "standard deviation of a drive's constant heading drift", unit="rad/m", low=0.0, high=0.1)
    odometry_walk_rad: float = setting(0.001, "heading error that accumulates over a metre, random", unit="rad/sqrt(m)", low=0.0, high=0.1)


@dataclass(frozen=True)
class NodeConfig(Section):
    """What only the ROS node needs: files, frames, publishing."""

    area: str = setting("", "area file (GeoPackage) from `urban_map_loc area build`")
    model: str = setting("", "model file (safetensors) from `urban_map_loc train`")
    autostart: bool = setting(True, "configure and activate without a lifecycle manager")
    map_frame: str = setting("map", "ENU frame about the area's datum (REP-105)")
    odom_frame: str = setting("odom", "frame of odometry (REP-105)")
    base_frame: str = setting("base_link", "frame of the car (REP-105)")
    cloud_frames: tuple[str, ...] = setting(("base_link",), "header frames of clouds that are already in the base frame")
    extrinsic: tuple[float, ...] = setting(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0), "T_base_sensor of clouds in `sensor_frame`: x y z [m], roll pitch yaw [rad]"
    )
    sensor_frame: str = setting("", "header frame of clouds that `extrinsic` applies to; empty: none")
    publish_tf: bool = setting(True, "publish map to odom on TF, where tf2_ros is installed")
    odometry_wait_s: float = setting(0.1, "a cloud waits at most this long for odometry as new as itself", unit="s", low=0.0, high=5.0)
    time_jump_s: float = setting(1.0, "stamps that go back by more than this mean a restarted bag: all is forgotten", unit="s", low=0.01)
