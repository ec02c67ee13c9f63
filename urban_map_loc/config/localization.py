# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checking poses against the map, and fusing them with odometry."""

from __future__ import annotations

from dataclasses import dataclass, field

from urban_map_loc.config.atlas import AtlasConfig
from urban_map_loc.config.cloud import CloudConfig
from urban_map_loc.config.map import RasterConfig
from urban_map_loc.config.submap import SubmapConfig
from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class VerificationConfig(Section):
    """Scoring a pose against the map, and choosing among MapNet's cells."""

    cells: int = setting(120, "MapNet's best cells that are checked against the map", low=1)
    wall_sigma_m: float = setting(0.8, "a hit this far from the nearest wall scores exp(-1/2)", unit="m", low=0.05, high=10.0)
    through_penalty: float = setting(0.7, "cost of a ray that passes through a building, in hits", low=0.0, high=10.0)
    through_depth_m: float = setting(1.0, "a ray point this deep inside a building counts as passing through it", unit="m", low=0.0)
    look_over_m: float = setting(
        2.5, "buildings known to be lower hide nothing: sheds and garages, over which a lidar sees the wall behind", unit="m", low=0.0
    )
    expected_reach_m: float = setting(48.0, "walls of the map are expected to be seen from so far", unit="m", low=5.0, high=500.0)
    expected_near_m: float = setting(
        1.0, "a hit this near to the wall that the map has along its ray is on it", unit="m", low=0.1, high=10.0
    )
    expected_near_share: float = setting(0.03, "and by so much of its distance more: headings err", low=0.0, high=0.5)
    expected_hidden: float = setting(
        0.5, "a wall of the map that something hides counts this much of one that is missing: in a narrower street all are hidden", low=0.0
    )
    expected_belief: int = setting(20, "as many rays count as missing besides: few walls in sight say little", low=1)
    position_step_m: float = setting(2.0, "grid of candidate positions", unit="m", low=0.25, high=10.0)
    heading_steps: int = setting(120, "candidate headings per turn", low=8, high=720)
    road_reach_m: float = setting(4.0, "candidates lie this near to a road", unit="m", low=0.5, high=100.0)
    log_probability_weight: float = setting(
        0.04,
        "weight of the cell's log-probability in the final score; 0.03 to 0.08 are alike, 0.02 finds 1 to 2 % fewer scans, none 5 to 9 %",
        low=0.0,
        high=1.0,
    )
    coarse_rays: int = setting(32, "hits used for a first look at every candidate, evenly thinned", low=8, high=2000)
    second_rays: int = setting(60, "hits used, with their rays, for a second look at the best of them", low=8, high=2000)
    rays: int = setting(180, "hits used for refining and for the final score", low=8, high=2000)
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
    judged_hits: int = setting(1200, "hits of the window on which hypotheses are judged, evenly thinned", low=50, high=1_000_000)
    hypotheses: int = setting(64, "hypotheses kept", low=2, high=10000)
    refined_hypotheses: int = setting(12, "of these, so many are refined on the recent drive at each scan", low=1, high=1000)
    search_period_s: float = setting(0.5, "while finding, MapNet is asked this often", unit="s", low=0.0)
    check_period_s: float = setting(2.0, "while locked, MapNet is asked this often for rivals", unit="s", low=0.0)
    lock_distance_m: float = setting(8.0, "drive at least this far before locking", unit="m", low=0.0)
    lock_hits: int = setting(
        400, "see at least so many wall hits (of `window_rays` a scan) before locking: few hits fit in many places by chance", low=1
    )
    lock_score: float = setting(
        0.65,
        "agreement with the map needed to lock; right places reached 0.72 and more, with 30 % of the map's buildings missing 0.5, wrong "
        "ones 0.47 to 0.97",
        low=-1.0,
        high=1.0,
    )
    lock_misfit_ratio: float = setting(
        3.4,
        "every other place leaves this many times as much unexplained (1 - agreement), where no scan on its own speaks for the place; "
        "wrong places reached 1.9",
        low=1.0,
        high=100.0,
    )
    lock_misfit_metre: float = setting(
        1.0,
        "added to that after one metre; it falls with the metres driven: without it and with a `lock_margin_metre` of 0.2 two wrong places "
        "were believed after 10 and 12 m, of 800 starts",
        unit="m",
        low=0.0,
        high=100.0,
    )
    lock_support: float = setting(
        2.7,
        "taken off that where all do, verified or as MapNet alone sees it; of right places 85 % had a support of 0.6 and more when they "
        "were locked, wrong ones in Oxford 0.5 and less",
        low=0.0,
        high=10.0,
    )
    overrule_misfit_ratio: float = setting(
        2.5,
        "a lock is given up when it leaves this many times as much unexplained as another place; right ones reached 1.8 where 30 % of the "
        "buildings are missing, kidnapped cars have 2 to 6",
        low=1.0,
        high=100.0,
    )
    overrule_margin: float = setting(
        0.2, "and only for a place that explains the drive better by this much: right ones lacked up to 0.13", low=0.0, high=1.0
    )
    vote_m: float = setting(2.0, "scans this far apart speak for or against a place", unit="m", low=0.0)
    lock_margin: float = setting(0.03, "lead over the best other place needed to lock", low=0.0, high=1.0)
    lock_margin_metre: float = setting(0.45, "further lead needed after one metre; it falls with the metres driven", unit="m", low=0.0)
    rival_distance_m: float = setting(10.0, "a hypothesis this far away is another place", unit="m", low=0.5)
    rival_heading_rad: float = setting(0.7, "as is one that heads elsewhere by this much", unit="rad", low=0.05)
    lock_certainty_m: float = setting(1.5, "lock only where the walls tell the place along the street to this, 1 sigma", unit="m", low=0.1)
    lock_sigma_m: float = setting(
        2.0, "standard deviation of the oldest position of the recent drive when locking: walls make it certain", unit="m", low=0.01
    )
    lock_heading_rad: float = setting(0.1, "the same for its heading", unit="rad", low=0.001)
    lost_sigma_m: float = setting(8.0, "position uncertainty at which a lock is lost", unit="m", low=0.5)
    agreement_m: float = setting(20.0, "agreement of scans is averaged over about so many metres", unit="m", low=1.0)
    lost_score: float = setting(
        0.4,
        "agreement of a scan below which it speaks against the pose; right poses have 0.65 and more, with 30 % of the buildings missing "
        "from the map 0.25 to 0.7, kidnapped cars -0.15 to 0.45",
        low=-1.0,
        high=1.0,
    )
    lost_disagreement_m: float = setting(
        2.0, "metres times missing agreement after which a lock is lost: 5 m at no agreement at all, 20 m at 0.3", unit="m", low=0.1
    )
    doubtful_share: float = setting(
        0.25, "from this share of it on other places are looked for as often as while finding", low=0.0, high=1.0
    )
    slip_reach_m: float = setting(
        12.0,
        "where a scan disagrees with the map it is looked for so far ahead and behind: odometry may have slipped",
        unit="m",
        low=0.0,
        high=50.0,
    )
    slip_scans: int = setting(3, "so many scans in a row that show the car there, and odometry is not believed any more", low=1)
    standing_m_s: float = setting(2.0, "while standing, time speaks for or against a pose as if driving this fast", unit="m/s", low=0.0)
    odometry_noise: float = setting(0.03, "odometry's drift per metre driven, 1 sigma", unit="m/m", low=0.0, high=1.0)
    odometry_heading_noise: float = setting(
        0.0035, "odometry's heading drift after one metre, 1 sigma of a random walk", unit="rad/sqrt(m)", low=0.0, high=1.0
    )
    map_sigma_m: float = setting(0.3, "the map's own position error, added to the published covariance", unit="m", low=0.01)
    map_sigma_rad: float = setting(0.002, "the same for the heading: walls are drawn askew by about as much", unit="rad", low=0.0001)
    odometry_timeout_s: float = setting(0.5, "odometry older than this at a cloud's stamp means the scan is skipped", unit="s", low=0.01)
    odometry_buffer_s: float = setting(30.0, "odometry kept for late clouds", unit="s", low=0.5)
    fastest_m_s: float = setting(70.0, "odometry that is faster has jumped: the recent drive no longer hangs together", unit="m/s", low=1.0)
    fastest_turn_rad_s: float = setting(3.0, "so has odometry that turns faster", unit="rad/s", low=0.1)


@dataclass(frozen=True)
class TrackingConfig(Section):
    """The window of poses that is optimised while locked."""

    window_keyframes: int = setting(60, "poses in the window, about a metre apart", low=3, high=1000)
    iterations: int = setting(4, "Gauss-Newton steps at most after a new pose", low=1, high=100)
    converged_m: float = setting(0.01, "steps smaller than this end it", unit="m", low=0.0)
    wall_sigma_m: float = setting(0.8, "a hit this far from the nearest wall counts exp(-1/2)", unit="m", low=0.05, high=10.0)
    hit_weight: float = setting(
        0.03, "information of one hit across its wall: neighbours share a wall's error, and so do the next scans", unit="1/m2", low=0.0
    )
    odometry_walk: float = setting(0.02, "odometry's random error in position after one metre", unit="m/sqrt(m)", low=0.0001)
    heading_walk: float = setting(0.001, "odometry's random error in heading after one metre", unit="rad/sqrt(m)", low=0.00001)
    scale_sigma: float = setting(0.03, "odometry's unknown error of distance, before it is estimated", low=0.0001)
    turn_sigma: float = setting(0.0003, "odometry's unknown turn per metre, before it is estimated", unit="rad/m", low=0.000001)
    scale_walk: float = setting(0.0003, "how much the scale changes in a metre", unit="1/sqrt(m)", low=0.0)
    turn_walk: float = setting(0.00001, "how much the turn changes in a metre", unit="rad/m/sqrt(m)", low=0.0)
    fix_kernel: float = setting(3.0, "a fix this many sigma off counts half (Cauchy's kernel)", low=0.1)


@dataclass(frozen=True)
class GnssConfig(Section):
    """The integrity monitor of an optional GNSS receiver, and how its fixes are used."""

    use: bool = setting(True, "take fixes where they come")
    usual_m: float = setting(4.0, "standard deviation of fixes whose receiver states none", unit="m", low=0.1)
    floor_m: float = setting(1.0, "added to the stated error of a fix: receivers praise themselves", unit="m", low=0.0)
    fix_limit: float = setting(
        11.8, "largest normalised squared innovation of one fix: chi-square of 2 degrees, 99.7 %; real fixes reached 7.3", low=1.0
    )
    outliers: int = setting(3, "fixes in a row beyond that limit and the receiver is rejected", low=1)
    memory_s: float = setting(10.0, "time over which innovations are averaged; a receiver's errors last about as long", unit="s", low=0.1)
    suspect_limit: float = setting(3.0, "largest test value of that mean; real fixes reached 1.3", low=0.1)
    rejected_limit: float = setting(6.0, "test value of the mean from which the receiver is rejected", low=0.1)
    trust_s: float = setting(3.0, "a receiver is used after agreeing for so long", unit="s", low=0.0)
    trust_again_s: float = setting(15.0, "one that was rejected, after agreeing for so long", unit="s", low=0.0)
    outage_s: float = setting(5.0, "after a silence of this length all is judged anew", unit="s", low=0.1)
    spacing_m: float = setting(10.0, "of the fixes, one is used each so many metres: their errors last", unit="m", low=0.1)
    inflation: float = setting(4.0, "variance of a used fix over the stated one, since its neighbours share its error", low=1.0)


@dataclass(frozen=True)
class PriorConfig(Section):
    """First guesses from outside: they say where to look, and count for little."""

    reach_sigma: float = setting(3.0, "a guess is looked for within so many of its sigma", low=0.5)
    largest_reach_m: float = setting(60.0, "but not further than this: that much is seen at once", unit="m", low=5.0, high=500.0)
    smallest_reach_m: float = setting(6.0, "and at least this far: people and receivers are too sure", unit="m", low=1.0)
    advantage: float = setting(
        0.04, "agreement that a place inside a guess has ahead of others, a little less than `lock_margin`", low=0.0, high=1.0
    )
    moved_m: float = setting(5.0, "how far a car may have been moved since its last pose was kept, 1 sigma", unit="m", low=0.0)
    moved_rad: float = setting(0.3, "the same for its heading", unit="rad", low=0.0)
    lifetime_m: float = setting(100.0, "a guess is forgotten after this much driving", unit="m", low=1.0)


@dataclass(frozen=True)
class LocalizerConfig(Section):
    """All that the localizer reads while it runs."""

    raster: RasterConfig = field(default_factory=RasterConfig)
    cloud: CloudConfig = field(default_factory=CloudConfig)
    submap: SubmapConfig = field(default_factory=SubmapConfig)
    verification: VerificationConfig = field(default_factory=VerificationConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    gnss: GnssConfig = field(default_factory=GnssConfig)
    atlas: AtlasConfig = field(default_factory=AtlasConfig)
    device: str = setting("auto", "where MapNet runs; auto: on a GPU where there is one", choices=("auto", "cpu", "cuda"))
    seed: int = setting(0, "seed of every random choice", low=0)
