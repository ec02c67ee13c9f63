"""Replay: a bag through the localizer, as fast as it goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from urban_map_loc.bags.reader import BagReader, CloudRecord, OdometryRecord
from urban_map_loc.cloud.decode import decode
from urban_map_loc.config import NodeConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.result import LocalizationResult

BASE_FRAME = NodeConfig().base_frame


def replay(bag: BagReader, localizer: Localizer, start_s: float = 0.0) -> Iterator[tuple[LocalizationResult, float]]:
    """The answer to every cloud from `start_s` [s] after the bag's start, and how long it took [ms].

    A cloud waits until odometry has passed its stamp, as it does in the node, so that its pose is interpolated.

    Raises:
        BagError: the bag lacks clouds or odometry, or is damaged.
    """
    waiting: deque[CloudRecord] = deque()
    for record in bag.records(start_s):
        if isinstance(record, OdometryRecord):
            localizer.add_odometry(record.stamp_s, record.T_odom_base)
            limit_s = record.stamp_s
        else:
            waiting.append(record)
            # Odometry that has stopped must not hold clouds back for ever.
            limit_s = record.stamp_s - localizer.config.fusion.odometry_timeout_s
        while waiting and waiting[0].stamp_s <= limit_s:
            yield _answer(waiting.popleft(), localizer)
    for cloud in waiting:
        yield _answer(cloud, localizer)


def _answer(record: CloudRecord, localizer: Localizer) -> tuple[LocalizationResult, float]:
    started = time.perf_counter()
    try:
        cloud = decode(record.message)
        if cloud.frame_id != BASE_FRAME:
            raise CloudError(f"the cloud is in frame {cloud.frame_id!r}, not {BASE_FRAME}; record it in {BASE_FRAME}")
        result = localizer.add_cloud(cloud, single_scan=True)
    except CloudError as error:
        result = localizer.skip(record.stamp_s, str(error))
    return result, (time.perf_counter() - started) * 1e3
