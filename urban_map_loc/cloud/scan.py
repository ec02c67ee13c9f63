"""BuildingScan: the nearest wall in every direction, what tiles and verification are made of."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, pi

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extraction import building_mask
from urban_map_loc.config import CloudConfig, TileConfig
from urban_map_loc.errors import CloudError


@dataclass(frozen=True, eq=False)
class BuildingScan:
    """Wall hits of one sweep.

    Attributes:
        stamp_s: the cloud's stamp [s].
        points: `(N, 2)` x, y [m] in the base frame, at most one a sector, sorted by azimuth from -pi to pi.
    """

    stamp_s: float
    points: NDArray[np.float64]


def scan_of_cloud(cloud: Cloud, cloud_config: CloudConfig, tile_config: TileConfig) -> BuildingScan:
    """The nearest building point of each azimuth sector, beyond `minimum_range_m`, within the tile's range and field of view.

    Raises:
        CloudError: fewer than `minimum_hits` sectors see a building, or labels are asked for and missing.
    """
    mask = building_mask(cloud, cloud_config, tile_config.range_m)
    points = nearest_per_sector(cloud.points, mask, tile_config.sectors_per_turn, cloud_config.minimum_range_m, tile_config.range_m)
    points = points[np.abs(np.arctan2(points[:, 1], points[:, 0])) <= 0.5 * tile_config.field_of_view_rad]
    if len(points) < cloud_config.minimum_hits:
        raise CloudError(
            f"only {len(points)} building points within {tile_config.range_m:g} m, {cloud_config.minimum_hits} needed; drive on"
        )
    return BuildingScan(cloud.stamp_s, points)


@njit(cache=True)
def nearest_per_sector(
    points: NDArray[np.float32], mask: NDArray[np.bool_], sectors: int, minimum_range_m: float, range_m: float
) -> NDArray[np.float64]:
    """x, y `(K, 2)` [m] of the point nearest to the origin in each azimuth sector, of the `points (N, 3)` in `mask (N,)`."""
    best = np.full(sectors, -1, dtype=np.int64)
    distance = np.full(sectors, range_m * range_m, dtype=np.float64)
    for i in range(points.shape[0]):
        if not mask[i]:
            continue
        x, y = float(points[i, 0]), float(points[i, 1])
        squared = x * x + y * y
        if squared < minimum_range_m * minimum_range_m or squared > range_m * range_m:
            continue
        sector = min(sectors - 1, int((atan2(y, x) + pi) * (sectors / (2.0 * pi))))
        if best[sector] < 0 or squared < distance[sector]:
            best[sector], distance[sector] = i, squared
    chosen = best[best >= 0]
    out = np.empty((chosen.size, 2), dtype=np.float64)
    for k in range(chosen.size):
        out[k, 0], out[k, 1] = points[chosen[k], 0], points[chosen[k], 1]
    return out
