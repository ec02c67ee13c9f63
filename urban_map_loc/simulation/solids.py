# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes of what a lidar meets: extruded footprints, boxes, trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Polygon

# Corners of a unit box (x, y, z) about the middle of its ground face, and its twelve triangles.
_BOX_CORNERS = np.array([[x, y, z] for z in (0.0, 1.0) for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))])
_BOX_TRIANGLES = np.array(
    [[0, 1, 5], [0, 5, 4], [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7], [4, 5, 6], [4, 6, 7], [0, 2, 1], [0, 3, 2]]
)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices `(V, 3)` [m] and triangles `(T, 3)` of vertex numbers."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]

    @classmethod
    def joined(cls, meshes: Sequence[Mesh]) -> Mesh:
        """One mesh of many."""
        if not meshes:
            return cls(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))
        first = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
        triangles = [mesh.triangles + start for mesh, start in zip(meshes, first, strict=False)]
        return cls(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(triangles))


def prism(footprint: Polygon, bottom_m: float, top_m: float) -> Mesh:
    """Walls along every ring of a footprint, and its flat roof."""
    parts = []
    for ring in (footprint.exterior, *footprint.interiors):
        corners = shapely.get_coordinates(ring)[:-1]
        n = len(corners)
        low, high = np.arange(n), np.arange(n) + n
        vertices = np.concatenate([np.column_stack([corners, np.full(n, z)]) for z in (bottom_m, top_m)])
        nxt = (low + 1) % n
        parts.append(Mesh(vertices, np.concatenate([np.column_stack([low, nxt, nxt + n]), np.column_stack([low, nxt + n, high])])))
    roof = shapely.get_parts(shapely.constrained_delaunay_triangles(footprint))
    corners = np.array([shapely.get_coordinates(triangle)[:3] for triangle in roof]).reshape(-1, 2)
    parts.append(Mesh(np.column_stack([corners, np.full(len(corners), top_m)]), np.arange(len(corners)).reshape(-1, 3)))
    return Mesh.joined(parts)


def boxes(poses: NDArray[np.float64], sizes: NDArray[np.float64], bottom_m: ArrayLike = 0.0) -> Mesh:
    """Boxes of length, width, height `(N, 3)` [m] standing at poses `(N, 3)`: x, y [m], yaw [rad]."""
    local = _BOX_CORNERS * sizes[:, None, :]
    c, s = np.cos(poses[:, 2:3]), np.sin(poses[:, 2:3])
    x = poses[:, :1] + c * local[..., 0] - s * local[..., 1]
    y = poses[:, 1:2] + s * local[..., 0] + c * local[..., 1]
    z = local[..., 2] + np.broadcast_to(np.asarray(bottom_m, dtype=float), len(poses))[:, None]
    triangles = _BOX_TRIANGLES[None] + 8 * np.arange(len(poses))[:, None, None]
    return Mesh(np.stack([x, y, z], axis=-1).reshape(-1, 3), triangles.reshape(-1, 3))


def cars(poses: NDArray[np.float64], sizes: NDArray[np.float64]) -> Mesh:
    """Vehicles: a body of 60 % of the height and a shorter cabin on it; those higher than 2.2 m are plain boxes."""
    tall = sizes[:, 2:] > 2.2
    body = sizes * np.where(tall, 1.0, [1.0, 1.0, 0.6])
    cabin = sizes * np.where(tall, 0.0, [0.55, 0.9, 0.4])
    return Mesh.joined([boxes(poses, body), boxes(poses[~tall[:, 0]], cabin[~tall[:, 0]], body[~tall[:, 0], 2])])


def tree(x: float, y: float, crown_radius_m: float, crown_bottom_m: float, crown_top_m: float) -> Mesh:
    """The crown of a tree: three stacked octagons; its trunk is a box of its own."""
    heights = crown_bottom_m + (crown_top_m - crown_bottom_m) * np.array([0.0, 0.25, 0.75, 1.0])
    centre = shapely.Point(x, y)
    layers = zip(heights[:-1], heights[1:], (0.7, 1.0, 0.7), strict=True)
    return Mesh.joined([prism(centre.buffer(crown_radius_m * scale, quad_segs=2), low, high) for low, high, scale in layers])
