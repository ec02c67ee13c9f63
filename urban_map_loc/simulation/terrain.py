# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ground's height: level, or gentle hills made of waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.simulation.solids import Mesh

WAVES = 8
WAVELENGTH_M = (90.0, 500.0)  # shortest: a street's dip; a car's length is then as good as plane
GRID_M = 5.0  # of the mesh: it leaves the waves by at most 4 cm where they slope by 0.05


@dataclass(frozen=True, eq=False)
class Terrain:
    """Heights over the `map` frame as a sum of waves.

    Attributes:
        waves: `(K, 2)` wave vectors [rad/m].
        amplitude_m: `(K,)` [m].
        phase: `(K,)` [rad].
    """

    waves: FloatArray
    amplitude_m: FloatArray
    phase: FloatArray

    @classmethod
    def level(cls) -> Terrain:
        """Height 0 everywhere."""
        return cls(np.zeros((0, 2)), np.zeros(0), np.zeros(0))

    @classmethod
    def hills(cls, slope: float, rng: np.random.Generator) -> Terrain:
        """Waves in all directions, each with an equal share in a root mean square gradient of `slope` [m/m]; level for 0."""
        if slope == 0.0:
            return cls.level()
        number = 2.0 * np.pi / np.exp(rng.uniform(np.log(WAVELENGTH_M[0]), np.log(WAVELENGTH_M[1]), WAVES))
        angle = rng.uniform(0.0, 2.0 * np.pi, WAVES)
        waves = number[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        return cls(waves, slope * np.sqrt(2.0 / WAVES) / number, rng.uniform(0.0, 2.0 * np.pi, WAVES))

    @property
    def is_level(self) -> bool:
        """Whether the height is 0 everywhere."""
        return not len(self.amplitude_m)

    def height(self, xy: ArrayLike) -> FloatArray:
        """Height `(N,)` [m] at `(N, 2)` [m]."""
        return np.asarray(np.sin(np.asarray(xy, float) @ self.waves.T + self.phase) @ self.amplitude_m)

    def gradient(self, xy: ArrayLike) -> FloatArray:
        """Gradient `(N, 2)` [m/m] at `(N, 2)` [m]."""
        return np.asarray((np.cos(np.asarray(xy, float) @ self.waves.T + self.phase) * self.amplitude_m) @ self.waves)

    def poses(self, poses: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Cars that stand on the ground, pitched and rolled by it, at planar poses `(N, 3)`.

        Returns:
            Rotations `(N, 3, 3)` and translations `(N, 3)` [m] of T_map_base.
        """
        zero, c, s = np.zeros(len(poses)), np.cos(poses[:, 2]), np.sin(poses[:, 2])
        if self.is_level:
            forward, left, up = np.stack([c, s, zero], axis=1), np.stack([-s, c, zero], axis=1), np.stack([zero, zero, zero + 1.0], axis=1)
            return np.stack([forward, left, up], axis=2), np.column_stack([poses[:, :2], zero])
        gradient = self.gradient(poses[:, :2])
        forward = np.stack([c, s, c * gradient[:, 0] + s * gradient[:, 1]], axis=1)
        up = np.column_stack([-gradient, zero + 1.0])
        forward /= np.linalg.norm(forward, axis=1, keepdims=True)
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        return np.stack([forward, np.cross(up, forward), up], axis=2), np.column_stack([poses[:, :2], self.height(poses[:, :2])])

    def lifted(self, mesh: Mesh) -> Mesh:
        """The mesh, made for level ground, with every vertex lifted by the ground's height there: what is plumb stays plumb."""
        if self.is_level or not len(mesh.vertices):
            return mesh
        vertices = mesh.vertices.copy()
        vertices[:, 2] += self.height(vertices[:, :2])
        return Mesh(vertices, mesh.triangles)

    def ground(self, west: float, south: float, east: float, north: float) -> Mesh:
        """The ground's surface within bounds [m]: two triangles where it is level."""
        if self.is_level:
            corners = np.array([[west, south, 0], [east, south, 0], [east, north, 0], [west, north, 0.0]])
            return Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))
        x, y = np.arange(west, east + GRID_M, GRID_M), np.arange(south, north + GRID_M, GRID_M)
        points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        corner = (np.arange(len(x) - 1)[:, None] * len(y) + np.arange(len(y) - 1)).ravel()
        halves: list[NDArray[np.int64]] = [
            np.stack([corner, corner + len(y), corner + len(y) + 1], axis=1),
            np.stack([corner, corner + len(y) + 1, corner + 1], axis=1),
        ]
        return Mesh(np.column_stack([points, self.height(points)]), np.concatenate(halves))
