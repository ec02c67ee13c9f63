# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""BuildingScan: the nearest wall in every direction and how far it is free before, what tiles and verification are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extraction import point_kinds
from urban_map_loc.cloud.rays import along_rays
from urban_map_loc.config import CloudConfig, TileConfig
from urban_map_loc.errors import CloudError


@dataclass(frozen=True, eq=False)
class BuildingScan:
    """What one sweep saw.

    Attributes:
        stamp_s: the cloud's stamp [s].
        points: `(N, 2)` x, y [m] in the base frame of wall hits, at most one a ray, sorted by azimuth from -pi to pi.
        seen_m: `(sectors,)` [m] how far each ray of the tile is known to be free of buildings; None where only the hits are known.
        road: `(sectors, steps)` 1 where road surface was seen along each ray, see `rays.RaysSeen`; None where it was not looked for.
    """

    stamp_s: float
    points: NDArray[np.float64]
    seen_m: NDArray[np.float64] | None = None
    road: NDArray[np.uint8] | None = None


def scan_of_cloud(cloud: Cloud, cloud_config: CloudConfig, tile_config: TileConfig) -> BuildingScan:
    """The nearest building point of each ray, beyond `minimum_range_m`, within the tile's range and field of view.

    Raises:
        CloudError: fewer than `minimum_hits` rays see a building, or labels are asked for and missing.
    """
    kinds = point_kinds(cloud, cloud_config, tile_config.range_m, road=tile_config.planes > 1)
    seen = along_rays(cloud.points, kinds, tile_config, cloud_config.minimum_range_m)
    if len(seen.hits) < cloud_config.minimum_hits:
        raise CloudError(
            f"only {len(seen.hits)} building points within {tile_config.range_m:g} m, {cloud_config.minimum_hits} needed; drive on"
        )
    return BuildingScan(cloud.stamp_s, seen.hits, seen.seen_m, seen.road)
