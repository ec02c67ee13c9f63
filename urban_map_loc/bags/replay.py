# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Replay: a bag through the localizer, as fast as it goes; and what the car saw on the way, with odometry alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from urban_map_loc.bags.reader import BagReader, CloudRecord, FixRecord, OdometryRecord
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.deskew import deskewed
from urban_map_loc.cloud.intake import CloudIntake
from urban_map_loc.cloud.scan import BuildingScan, scan_of_cloud
from urban_map_loc.config import LocalizerConfig, NodeConfig, TileConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.odometry import OdometryBuffer
from urban_map_loc.localization.result import LocalizationResult


class SeenScan(NamedTuple):
    """A scan and where odometry was.

    Attributes:
        scan: the walls seen.
        T_odom_base: odometry at the scan's stamp.
        part: scans of one part share an odometry frame; a new part begins where odometry jumps.
    """

    scan: BuildingScan
    T_odom_base: Pose2
    part: int


def replay(
    bag: BagReader, localizer: Localizer, start_s: float = 0.0, node: NodeConfig | None = None
) -> Iterator[tuple[LocalizationResult, float]]:
    """The answer to every cloud from `start_s` [s] after the bag's start, and how long it took [ms].

    Args:
        node: frames and extrinsic, as the node has them; the defaults unless given. Other frames are looked up in the bag's /tf_static.

    Raises:
        BagError: the bag lacks clouds or odometry, or is damaged.
        ConfigurationError: the extrinsic is none.
    """
    intake = CloudIntake(node or NodeConfig(), localizer.config.cloud, bag.frames())

    def add_fix(record: FixRecord) -> None:
        position = localizer.area.plane.to_enu(record.lat_deg, record.lon_deg)
        localizer.add_gnss(GnssFix.stated(record.stamp_s, position, record.covariance, localizer.config.gnss))

    for record in _after_odometry(bag, start_s, localizer.config.fusion.odometry_timeout_s, localizer.add_odometry, add_fix):
        started = time.perf_counter()
        try:
            result = localizer.add_cloud(intake.take(record.message), single_scan=True)
        except CloudError as error:
            result = localizer.skip(record.stamp_s, str(error))
        yield result, (time.perf_counter() - started) * 1e3


def seen_scans(bag: BagReader, config: LocalizerConfig, tile: TileConfig, start_s: float = 0.0) -> Iterator[SeenScan]:
    """The walls that each cloud from `start_s` [s] on shows, as the localizer would see them; clouds that show too few are left out.

    Raises:
        BagError: the bag lacks clouds or odometry, or is damaged.
    """
    for cloud, T_odom_base, part in seen_clouds(bag, config, start_s):
        try:
            yield SeenScan(scan_of_cloud(cloud, config.cloud, tile), T_odom_base, part)
        except CloudError:
            continue


def seen_clouds(
    bag: BagReader,
    config: LocalizerConfig,
    start_s: float = 0.0,
    node: NodeConfig | None = None,
    wanted: Callable[[float], bool] = lambda stamp_s: True,
) -> Iterator[tuple[Cloud, Pose2, int]]:
    """Clouds from `start_s` [s] on in the base frame, the car's motion undone, with `T_odom_base` and part as `SeenScan` has them.

    Args:
        node: as of `replay`.
        wanted: says by a cloud's stamp [s] whether it is decoded. Clouds that cannot be are left out, and those without odometry.

    Raises:
        BagError: the bag lacks clouds or odometry, or is damaged.
        ConfigurationError: the extrinsic is none.
    """
    odometry, part = OdometryBuffer(config.fusion), 0
    intake = CloudIntake(node or NodeConfig(), config.cloud, bag.frames())

    def add(stamp_s: float, T_odom_base: Pose2) -> None:
        nonlocal part
        part += not odometry.add(stamp_s, T_odom_base)

    for record in _after_odometry(bag, start_s, config.fusion.odometry_timeout_s, add):
        T_odom_base = odometry.at(record.stamp_s)
        if isinstance(T_odom_base, str) or not wanted(record.stamp_s):
            continue
        try:
            cloud = deskewed(intake.take(record.message), odometry)
        except CloudError:
            continue
        yield cloud, T_odom_base, part


def _after_odometry(
    bag: BagReader,
    start_s: float,
    timeout_s: float,
    add: Callable[[float, Pose2], object],
    add_fix: Callable[[FixRecord], object] = lambda record: None,
) -> Iterator[CloudRecord]:
    """Clouds, each once odometry has been added that has passed its stamp, as in the node, so that its pose is interpolated."""
    waiting: deque[CloudRecord] = deque()
    for record in bag.records(start_s):
        if isinstance(record, OdometryRecord):
            add(record.stamp_s, record.T_odom_base)
            limit_s = record.stamp_s
        elif isinstance(record, FixRecord):
            add_fix(record)
            continue
        else:
            waiting.append(record)
            # Odometry that has stopped must not hold clouds back for ever.
            limit_s = record.stamp_s - timeout_s
        while waiting and waiting[0].stamp_s <= limit_s:
            yield waiting.popleft()
    yield from waiting
