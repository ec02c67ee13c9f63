# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Localizer: clouds and odometry in, a pose that can be believed out. The same object serves the node and `localize`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.deskew import deskewed
from urban_map_loc.cloud.scan import BuildingScan, scan_of_cloud
from urban_map_loc.cloud.submap import Submap
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.aids import Aids
from urban_map_loc.localization.finding import Finder
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.localization.ground import Ground, OneArea
from urban_map_loc.localization.loading import load_ground
from urban_map_loc.localization.lock import LockRules
from urban_map_loc.localization.odometry import OdometryBuffer
from urban_map_loc.localization.priors import Prior
from urban_map_loc.localization.recent_drive import Keyframe, RecentDrive
from urban_map_loc.localization.result import Answers, LocalizationResult, PoseEstimate, State
from urban_map_loc.localization.search import Network, Search
from urban_map_loc.localization.timing import StageTimer
from urban_map_loc.localization.tracking import Tracker
from urban_map_loc.localization.warm_up import warm_up
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.tile.from_cloud import BuildingTile, ScanRenderer


class Localizer:
    """Finds the car in an area with no hint, then tracks it.

    The state is `T_map_odom` (REP-105): a late cloud needs odometry at its own stamp only.
    """

    def __init__(self, ground: Ground, config: LocalizerConfig) -> None:
        """Made ready on a ground: everything is compiled."""
        self.ground, self.area, self.trained, self.config = ground, ground.area, ground.trained, config
        self.tile_config = self.trained.tile
        self.renderer = ScanRenderer(self.tile_config)
        self.grid = self.renderer.grid
        self.verifier = ground.verifier
        self.search = Search(ground.network, self.verifier)
        self.odometry = OdometryBuffer(config.fusion)
        self.submap = Submap(config.submap, self.tile_config.range_m)
        self.drive = RecentDrive(config.fusion)
        self.finder, self.rules, self.aids = Finder(self.verifier, config.fusion), LockRules(config.fusion), Aids(config)
        self.tracker: Tracker | None = None
        self._state, self._reason, self._lost_because, self._searched_s = State.INITIALIZING, "no cloud yet", "", -np.inf
        warm_up(self)

    @classmethod
    def of_area(
        cls, area: AreaMap, model: Checkpoint, config: LocalizerConfig, area_path: Path | None = None, network: Network | None = None
    ) -> Localizer:
        """On one area; see `OneArea`."""
        return cls(OneArea(area, model, config, area_path, network), config)

    @classmethod
    def load(cls, area_path: Path, model_path: Path | None, config: LocalizerConfig, wait: bool = False) -> Localizer:
        """From files: an area file with its model, or the folder of an atlas without; see `load_ground`."""
        return cls(load_ground(area_path, model_path, config, wait), config)

    @property
    def raster(self) -> BuildingRaster:
        """The buildings about the car."""
        return self.ground.raster

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
            self._lose("odometry jumped further than a car can go; check the node that publishes odom")
        self.aids.take_fixes(stamp_s, self.odometry, self.tracker, self.drive.travelled_m)

    def add_prior(self, prior: Prior, stamp_s: float | None = None) -> str:
        """Take a first guess of the pose, made at a stamp [s] or now. It is looked at, not believed.

        Returns:
            Why it could not be taken; empty where it was.
        """
        if refused := self.aids.add_prior(prior, stamp_s, self.odometry, self.drive.travelled_m):
            return refused
        self._searched_s = -np.inf  # look at once
        return ""

    def add_gnss(self, fix: GnssFix) -> None:
        """Take a GNSS fix; it counts once odometry has passed its stamp. See `GnssMonitor` for when it is believed."""
        self.aids.add_fix(fix)

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
        self.drive.move(T_odom_base)
        # 3. MapNet's guesses at this tile, checked against the map with what the last metres showed besides.
        shown = self.submap.extended(scan, T_odom_base)
        tile = self._tile(shown if self.trained.effects.submaps else scan)
        answers = self._search(shown, tile, T_odom_base, timer) if single_scan or self._search_due(scan.stamp_s) else None
        if answers and answers.poses:
            self.finder.propose(answers, T_odom_base, self.drive.travelled_m)
        # 4. Hypotheses compete to explain the recent drive, once locked only when there may be a new rival.
        keyframe = self.drive.add(scan.stamp_s, T_odom_base, scan.points)
        judged = bool(answers and answers.poses) or (keyframe is not None and not self.tracker)
        if judged:
            self._judge(T_odom_base)
        # 5. The lock is carried by odometry and corrected by the last metres.
        self._track(scan, T_odom_base, keyframe)
        # 6. What may be claimed.
        self._decide(T_odom_base, judged)
        self._attend(T_odom_base)
        timer.stage("fusion")
        alone = self._alone(scan, shown, answers, timer) if single_scan else None
        return self._result(scan.stamp_s, estimate=self._estimate(T_odom_base), single_scan=alone, tile=tile, timing_ms=timer.stages_ms)

    def add_blank(self, stamp_s: float, reason: str) -> LocalizationResult:
        """Take a scan that sees no building, for the given reason: the car still moves, and the estimate's uncertainty grows."""
        T_odom_base = self.odometry.at(stamp_s)
        if isinstance(T_odom_base, str):
            return self.skip(stamp_s, T_odom_base)
        self.drive.move(T_odom_base)
        blank = BuildingScan(stamp_s, np.zeros((0, 2)))
        self._track(blank, T_odom_base, self.drive.add(stamp_s, T_odom_base, blank.points))
        self._decide(T_odom_base, judged=False)
        self._attend(T_odom_base)
        return replace(self.skip(stamp_s, reason), estimate=self._estimate(T_odom_base))

    def skip(self, stamp_s: float, reason: str) -> LocalizationResult:
        """The result of a cloud that could not be used."""
        return self._result(stamp_s, reason=reason, skipped=True)

    def reset(self, reason: str) -> None:
        """Forget everything but area and model, as if just started."""
        self.odometry.clear()
        self.aids.clear()
        self._forget_drive()
        self.tracker = None
        self._state, self._reason, self._lost_because = State.INITIALIZING, reason, ""

    def _forget_drive(self) -> None:
        self.submap.clear()
        self.drive.clear()
        self.finder.clear()
        self.aids.priors.clear()
        self._searched_s = -np.inf

    def _forget_before(self, travelled_m: float) -> None:
        """The drive was another one before so many metres: the car has been carried away, or odometry has slipped."""
        self.submap.clear()
        self.drive.forget_before(travelled_m)
        self.finder.forget_before(travelled_m)
        self.aids.priors.clear()
        self._searched_s = -np.inf

    def _search_due(self, stamp_s: float) -> bool:
        fusion = self.config.fusion
        period = fusion.check_period_s if self.tracker and not self.tracker.doubtful else fusion.search_period_s
        return abs(stamp_s - self._searched_s) >= period

    def _search(self, scan: BuildingScan, tile: BuildingTile, T_odom_base: Pose2, timer: StageTimer) -> Answers:
        """Where the scan may have been made: MapNet's places and those of first guesses."""
        self._searched_s = scan.stamp_s
        return self.search.answers(scan, tile.image, timer, self.aids.priors.regions(T_odom_base, self.drive.travelled_m))

    def _tile(self, scan: BuildingScan) -> BuildingTile:
        return self.renderer.tile(scan.points, scan.seen_m, scan.road)

    def _alone(self, scan: BuildingScan, shown: BuildingScan, answers: Answers | None, timer: StageTimer) -> PoseEstimate | None:
        """The best answer to one scan, without the submap and without guesses."""
        if shown is not scan or self.aids.priors.any:
            answers = self.search.answers(scan, self._tile(scan).image, timer)
        return answers.poses[0] if answers and answers.poses else None

    def _judge(self, T_odom_base: Pose2) -> None:
        """Let the hypotheses explain the recent drive; what a first guess says of them counts a little."""
        points, origins = self.drive.points(T_odom_base)
        travelled_m = self.drive.travelled_m
        self.finder.judge(T_odom_base, points, origins, lambda poses: self.aids.priors.advantage(poses, T_odom_base, travelled_m))

    def _track(self, scan: BuildingScan, T_odom_base: Pose2, keyframe: Keyframe | None) -> None:
        """Correct and carry the locked pose, and see how well the scan agrees with the map there."""
        if self.tracker:
            if keyframe is not None:
                self.tracker.add(keyframe)
            T_map_base = self.tracker.move(T_odom_base)
            if len(scan.points):
                self.tracker.compare(scan, T_map_base, self.drive.travelled_m, self.tile_config.field_of_view_rad)

    def _estimate(self, T_odom_base: Pose2) -> PoseEstimate | None:
        if not self.tracker:
            return None
        return PoseEstimate(self.tracker.T_map_odom @ T_odom_base, self.tracker.published_covariance, self.tracker.agreement)

    def _decide(self, T_odom_base: Pose2, judged: bool) -> None:
        """Lock, keep or lose; another place can overrule a lock only where hypotheses have just been judged."""
        if self.tracker:
            pose = self.tracker.T_map_odom @ T_odom_base
            if reason := self.tracker.disagreement:
                self._forget_before(self.tracker.doubted_since_m)
            else:
                reason = self.tracker.uncertainty or self.ground.outside(pose) or (self._overruled(pose, T_odom_base) if judged else "")
            if reason:
                self._lose(reason)
            return
        verdict = self.rules.judge(self.finder, self.drive, T_odom_base)
        self._reason = verdict.reason
        if verdict.believed:
            self._lock(Pose2.from_array(self.finder.poses[0]) @ T_odom_base.inverse(), T_odom_base)

    def _overruled(self, pose: Pose2, T_odom_base: Pose2) -> str:
        seen, own = self.drive.points(T_odom_base), pose.as_array()[None]
        agreement = float(self.verifier.agreement(*seen, own, self.verifier.score(*seen, own))[0])
        return self.rules.overruled(agreement, own[0], self.finder, self.drive)

    def _attend(self, T_odom_base: Pose2) -> None:
        """Say where the car is, or may be, so that the map there is at hand."""
        if self.tracker:
            poses = (self.tracker.T_map_odom @ T_odom_base).as_array()[None]
        else:
            poses = np.concatenate([self.aids.priors.regions(T_odom_base, self.drive.travelled_m).poses, self.finder.poses])
        self.ground.attend(poses[:, :2], locked=self.tracker is not None)

    def _lock(self, T_map_odom: Pose2, T_odom_base: Pose2) -> None:
        """Track from here, unless the recent drive leaves open where along the street the car is."""
        tracker = Tracker(self.verifier, self.config, self.drive, T_map_odom)
        tracker.move(T_odom_base)
        if tracker.sigma_m > self.config.fusion.lock_certainty_m:
            self._reason = f"the street is known, the place in it only to {tracker.sigma_m:.1f} m"
            return
        self.tracker, self._state, self._lost_because = tracker, State.LOCKED, ""

    def _lose(self, reason: str) -> None:
        if self.tracker:
            self._state, self._lost_because = State.LOST, reason
        self.tracker = None
        self._reason = reason

    def _result(self, stamp_s: float, **known: object) -> LocalizationResult:
        defaults = {"reason": self._reason, "lost_because": self._lost_because, "gnss": self.aids.gnss.verdict}
        defaults |= {"hypotheses": self.finder.poses, "scores": self.finder.scores}
        return LocalizationResult(stamp_s=stamp_s, state=self._state, **(defaults | known))  # type: ignore[arg-type]
