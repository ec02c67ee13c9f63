# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The map's reference views, with which MapNet compares what a car sees: where they are taken, and what the network makes of them."""

from __future__ import annotations

import numpy as np
import shapely
import torch

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import MapNetConfig
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.tile.from_map import MapRenderer

# A road's direction is taken over this length [m].
DIRECTION_M = 1.0
# References rendered and described at a time.
BATCH = 256


def reference_poses(area: AreaMap, config: MapNetConfig, cells: PositionCells) -> FloatArray:
    """Poses `(M, 3)` [m, rad] in `map` of the reference views, in the order of their cells.

    Two lines along each road, left and right of its centre. Views that are compared in several headings face along the road; others
    face either way.
    """
    poses = [np.zeros((0, 3))]
    for road in area.roads:
        along = np.arange(0.5 * config.reference_spacing_m, road.length, config.reference_spacing_m)
        if len(along) == 0:
            along = np.array([0.5 * road.length])
        centre, before, after = (
            shapely.get_coordinates(shapely.line_interpolate_point(road, np.clip(along + step, 0.0, road.length)))
            for step in (0.0, -0.5 * DIRECTION_M, 0.5 * DIRECTION_M)
        )
        yaw = np.arctan2(*(after - before).T[::-1])
        for offset in (-config.reference_lateral_m, config.reference_lateral_m):
            turns = (0.0,) if config.headings_in_view > 1 else (0.0, np.pi)
            position = centre + offset * np.stack([-np.sin(yaw), np.cos(yaw)], axis=1)
            poses += [np.column_stack([position, wrap_angle(yaw + turn)]) for turn in turns]
    found = np.concatenate(poses)
    cell = cells.of(found[:, :2])
    order = np.argsort(cell, kind="stable")
    return found[order[cell[order] != NO_CELL]]


@torch.inference_mode()
def fill_references(network: MapNet, renderer: MapRenderer) -> None:
    """Describe the map's views by the network as it is; it is left in evaluation mode. Heads without references need none.

    Rounded to half precision, in which model files keep them.
    """
    network.eval()
    head = network.head
    if not isinstance(head, CellsHead):
        return
    poses = head.reference_poses.double().cpu().numpy()
    for first in range(0, len(poses), BATCH):
        tiles = torch.from_numpy(renderer.tiles(poses[first : first + BATCH])).to(head.references.device)
        head.references[first : first + BATCH] = network.feature(tiles).flatten(1).half().float()
