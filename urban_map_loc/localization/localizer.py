"""Localizer: clouds and odometry in, a pose that can be believed out. The same object serves the node and `localize`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.deskew import deskewed
from urban_map_loc.cloud.scan import BuildingScan, scan_of_cloud
from urban_map_loc.cloud.submap import Submap
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.finding import Finder
from urban_map_loc.localization.odometry import OdometryBuffer
from urban_map_loc.localization.recent_drive import Keyframe, RecentDrive
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State
from urban_map_loc.localization.search import Search
from urban_map_loc.localization.timing import StageTimer
from urban_map_loc.localization.tracking import Tracker
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.checkpoint import Checkpoint, load_checkpoint
from urban_map_loc.mapnet.inference import Inference, choose_device
from urban_map_loc.tile.from_cloud import BuildingTile, ScanRenderer


class Localizer:
    """Finds the car in an area with no hint, then tracks it.

    The state is `T_map_odom` (REP-105): a late cloud needs odometry at its own stamp only.
    """

    def __init__(self, area: AreaMap, model: Checkpoint, config: LocalizerConfig, area_path: Path | None = None) -> None:
        """`area_path`: the area's file, beside which its rasters are kept; without it they are made in memory.

        Raises:
            ModelError: the model was trained on another area.
            ConfigurationError: device cuda, but there is no GPU.
        """
        model.check_area(area, str(area_path or "the area"))
        self.area, self.model, self.config = area, model, config
        self.tile_config = model.config.tile
        self.renderer = ScanRenderer(self.tile_config)
        self.grid = self.renderer.grid
        self.raster = BuildingRaster.from_area(area, config.raster, raster_cache(area_path) if area_path else None)
        self.verifier = Verifier(area, self.raster, config.verification)
        self.search = Search(Inference(model.network, choose_device(config.device)), self.verifier)
        self.odometry = OdometryBuffer(config.fusion)
        self.submap = Submap(config.submap, self.tile_config.range_m)
        self.drive = RecentDrive(config.fusion)
        self.finder = Finder(self.verifier, config.fusion)
        self.tracker: Tracker | None = None
        self._state, self._reason = State.INITIALIZING, "no cloud yet"
        self._searched_s = -np.inf
        self._warm_up()

    @classmethod
    def load(cls, area_path: Path, model_path: Path, config: LocalizerConfig) -> Localizer:
        """From files.

        Raises:
            AreaError, ModelError: a file is missing, damaged, or the model is of another area.
            ConfigurationError: device cuda, but there is no GPU.
        """
        return cls(read_area(area_path), load_checkpoint(model_path), config, area_path)

    @property
    def state(self) -> State:
        """Whether an estimate is offered."""
        return self._state

    @property
    def T_map_odom(self) -> Pose2 | None:
        """The correction of odometry that REP-105 wants published; None unless locked."""
        return self.tracker.T_map_odom if self.tracker else None

    @property
    def map_odom_covariance(self) -> NDArray[np.float64]:
        """Covariance `(3, 3)` of the car's pose in `map`, east [m], north [m], yaw [rad]; infinite unless locked."""
        return self.tracker.published_covariance if self.tracker else np.diag(np.full(3, np.inf))

    def add_odometry(self, stamp_s: float, T_odom_base: Pose2) -> None:
        """Take a pose of odometry; a jump in it ends the lock, since the recent drive no longer hangs together."""
        if not self.odometry.add(stamp_s, T_odom_base):
            self._forget_drive()
            self._lose("odometry jumped")

    def add_cloud(self, cloud: Cloud, single_scan: bool = False) -> LocalizationResult:
        """Take a cloud in the base frame and answer; bad clouds are skipped with a reason, never raised.

        Args:
            single_scan: also give the best answer to this cloud alone, whatever the state.
        """
        timer = StageTimer()
        # 1. The building points as seen from where the car was at the stamp, thinned to one a direction.
        try:
            scan = scan_of_cloud(deskewed(cloud, self.odometry), self.config.cloud, self.tile_config)
        except CloudError as error:
            return self.add_blank(cloud.stamp_s, str(error))
        timer.stage("extraction")
        return self.add_scan(scan, single_scan, timer)

    def add_scan(self, scan: BuildingScan, single_scan: bool = False, timer: StageTimer | None = None) -> LocalizationResult:
        """Take the walls that a cloud or another sensor saw, and answer; see `add_cloud`."""
        timer = timer or StageTimer()
        # 2. Where odometry was at the scan's own stamp.
        T_odom_base = self.odometry.at(scan.stamp_s)
        if isinstance(T_odom_base, str):
            return self.skip(scan.stamp_s, T_odom_base)
        # 3. MapNet's guesses at this tile, checked against the map.
        shown = self.submap.view(scan, T_odom_base)
        tile = self.renderer.tile(shown.points, shown.seen_m, shown.road)
        answers = self._answers(shown, tile, timer) if single_scan or self._search_due(scan.stamp_s) else None
        alone = answers
        if single_scan and shown is not scan:
            alone = self._answers(scan, self.renderer.tile(scan.points, scan.seen_m, scan.road), timer)
        if answers:
            self.finder.propose(answers, T_odom_base)
        # 4. Hypotheses compete to explain the recent drive, once locked only when there may be a new rival.
        self.drive.move(T_odom_base)
        keyframe = self.drive.add(scan.stamp_s, T_odom_base, scan.points)
        judged = bool(answers) or (keyframe is not None and not self.tracker)
        if judged:
            self.finder.judge(T_odom_base, *self.drive.points(T_odom_base, self.config.fusion.window_m))
        # 5. The lock is carried by odometry and corrected by the last metres.
        self._track(T_odom_base, keyframe)
        # 6. What may be claimed.
        self._decide(T_odom_base, judged)
        timer.stage("fusion")
        return self._result(
            scan.stamp_s,
            estimate=self._estimate(T_odom_base),
            single_scan=alone[0] if alone and single_scan else None,
            tile=tile,
            timing_ms=timer.stages_ms,
        )

    def skip(self, stamp_s: float, reason: str) -> LocalizationResult:
        """The result of a cloud that could not be used."""
        return self._result(stamp_s, reason=reason, skipped=True)

    def reset(self, reason: str) -> None:
        """Forget everything but area and model, as if just started."""
        self.odometry.clear()
        self._forget_drive()
        self.tracker = None
        self._state, self._reason = State.INITIALIZING, reason

    def _forget_drive(self) -> None:
        self.submap.clear()
        self.drive.clear()
        self.finder.clear()
        self._searched_s = -np.inf

    def _search_due(self, stamp_s: float) -> bool:
        fusion = self.config.fusion
        period = fusion.check_period_s if self.tracker else fusion.search_period_s
        return abs(stamp_s - self._searched_s) >= period

    def _answers(self, scan: BuildingScan, tile: BuildingTile, timer: StageTimer) -> list[PoseEstimate]:
        self._searched_s = scan.stamp_s
        return self.search.answers(scan, tile.image, timer)

    def _track(self, T_odom_base: Pose2, keyframe: Keyframe | None) -> None:
        """Correct and carry the locked pose."""
        if self.tracker:
            if keyframe is not None:
                self.tracker.add(keyframe)
            self.tracker.move(T_odom_base)

    def _estimate(self, T_odom_base: Pose2) -> PoseEstimate | None:
        if not self.tracker:
            return None
        return PoseEstimate(self.tracker.T_map_odom @ T_odom_base, self.tracker.published_covariance, self.tracker.agreement)

    def _decide(self, T_odom_base: Pose2, judged: bool) -> None:
        """Lock, keep or lose; another place can overrule a lock only where hypotheses have just been judged."""
        if self.tracker:
            pose = self.tracker.T_map_odom @ T_odom_base
            if reason := self.tracker.lost or self._outside(pose) or (self._overruled(pose, T_odom_base) if judged else ""):
                self._lose(reason)
            return
        fusion, finder = self.config.fusion, self.finder
        if len(finder.scores) == 0:
            self._reason = "no hypothesis fits the scans yet"
            return
        best, rival = float(finder.scores[0]), finder.best_other_place(finder.poses[0])
        if self.drive.length_m < fusion.lock_distance_m:
            self._reason = f"only {self.drive.length_m:.0f} m driven, {fusion.lock_distance_m:g} needed before locking"
        elif self.drive.hits < fusion.lock_hits:
            self._reason = (
                f"only {self.drive.hits} wall hits on the last {self.drive.length_m:.0f} m, {fusion.lock_hits} needed before locking"
            )
        elif best < fusion.lock_score:
            self._reason = f"the best place explains the drive by {best:.2f}, {fusion.lock_score:g} needed"
        elif best - rival < (needed := self._lead_needed(best)):
            self._reason = f"two places explain the drive alike (lead {best - rival:.3f}, {needed:.3f} needed)"
        else:
            self._lock(Pose2.from_array(finder.poses[0]), T_odom_base)
            self._reason = f"locked after {self.drive.length_m:.0f} m (agreement {best:.2f}, lead {best - rival:.2f})"

    def _lead_needed(self, best: float) -> float:
        """The lead over all other places with which an agreement of `best` is believed.

        Less after a longer drive, which chance explains less easily; more where the best place itself leaves much unexplained, as
        outside the map, where one wrong place is always the best.
        """
        fusion = self.config.fusion
        by_length = fusion.lock_margin + fusion.lock_margin_metre / max(self.drive.length_m, 1.0)
        return max(by_length, (fusion.lock_misfit_ratio - 1.0) * (1.0 - best))

    def _overruled(self, pose: Pose2, T_odom_base: Pose2) -> str:
        """Why another place explains the recent drive clearly better; empty while none does."""
        if len(self.finder.scores) == 0 or self.drive.length_m < self.config.fusion.lock_distance_m:
            return ""
        points, origins = self.drive.points(T_odom_base, self.config.fusion.window_m)
        own = float(self.verifier.score(points, origins, pose.as_array()[None])[0])
        rival = self.finder.best_other_place(pose.as_array())
        if rival - own > self._lead_needed(rival):
            return f"another place explains the recent drive better ({rival:.2f} against {own:.2f})"
        return ""

    def _outside(self, pose: Pose2) -> str:
        west, south, east, north = self.area.bounds
        inside = west <= pose.x <= east and south <= pose.y <= north
        return "" if inside else "the car has left the area"

    def _lock(self, T_map_base: Pose2, T_odom_base: Pose2) -> None:
        self.tracker = Tracker(self.verifier, self.config, self.drive, T_map_base @ T_odom_base.inverse())
        self.tracker.move(T_odom_base)
        self._state = State.LOCKED

    def _lose(self, reason: str) -> None:
        if self.tracker:
            self._state = State.LOST
        self.tracker = None
        self._reason = reason

    def add_blank(self, stamp_s: float, reason: str) -> LocalizationResult:
        """Take a scan that sees no building, for the given reason: the car still moves, and the estimate's uncertainty grows."""
        T_odom_base = self.odometry.at(stamp_s)
        if isinstance(T_odom_base, str):
            return self.skip(stamp_s, T_odom_base)
        self.drive.move(T_odom_base)
        self._track(T_odom_base, self.drive.add(stamp_s, T_odom_base, np.zeros((0, 2))))
        if self.tracker and (lost := self.tracker.lost or self._outside(self.tracker.T_map_odom @ T_odom_base)):
            self._lose(lost)
        return replace(self.skip(stamp_s, reason), estimate=self._estimate(T_odom_base))

    def _result(self, stamp_s: float, **known: object) -> LocalizationResult:
        defaults = {"reason": self._reason, "hypotheses": self.finder.poses, "scores": self.finder.scores}
        return LocalizationResult(stamp_s=stamp_s, state=self._state, **(defaults | known))  # type: ignore[arg-type]

    def _warm_up(self) -> None:
        """Compile and load everything once, so that the first cloud is answered as fast as the rest."""
        cloud = _made_up_street()
        for kind in ("geometric", "labels"):
            with suppress(CloudError):  # what these points are taken for does not matter
                scan_of_cloud(deskewed(cloud, _Standing()), replace(self.config.cloud, kind=kind), self.tile_config)
        points = np.ascontiguousarray(cloud.points[:100, :2], dtype=np.float64)
        self.submap.view(BuildingScan(cloud.stamp_s, points), Pose2.identity())
        self.submap.clear()
        hypotheses = self.search.network.hypotheses(self.renderer.tile(points).image, self.config.verification.cells)
        self.finder.propose(self.verifier.answers(points, hypotheses), Pose2.identity())
        self.finder.judge(Pose2.identity(), points, np.zeros_like(points))
        self.finder.clear()


def _made_up_street() -> Cloud:
    """A labelled cloud of two walls, as from a sweep."""
    x, z = np.meshgrid(np.arange(-20.0, 20.0, 0.2), np.arange(0.0, 5.0, 0.25))
    sides = [np.column_stack([x.ravel(), np.full(x.size, y), z.ravel()]) for y in (-8.0, 8.0)]
    points = np.concatenate(sides).astype(np.float32)
    offset_s = np.linspace(0.0, 0.1, len(points), dtype=np.float32)
    return Cloud(0.0, points, np.zeros(len(points), dtype=np.int64), offset_s=offset_s)


class _Standing:
    """The motion of a car that stands."""

    def poses(self, stamps_s: FloatArray) -> FloatArray:
        return np.zeros((len(stamps_s), 3))
