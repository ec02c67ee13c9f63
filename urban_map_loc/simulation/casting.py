# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ray casting into triangles, by open3d."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.simulation.solids import Mesh


class Hits(NamedTuple):
    """First hits of N rays.

    Attributes:
        distance: `(N,)` [m], inf where there is none.
        cosine: `(N,)` of the angle of incidence, 0 to 1.
        mesh: `(N,)` number of the mesh that was hit; any large number where none was.
    """

    distance: NDArray[np.float32]
    cosine: NDArray[np.float32]
    mesh: NDArray[np.uint32]


class Scene:
    """Meshes to cast rays into.

    Raises:
        UrbanMapLocError: open3d is not installed or does not load.
    """

    def __init__(self, *meshes: Mesh) -> None:
        self._o3d = load_open3d()
        self._scene = self._o3d.t.geometry.RaycastingScene()
        for mesh in meshes:
            vertices, triangles = mesh.vertices, mesh.triangles
            if not len(triangles):  # open3d refuses an empty mesh: a point far below the ground keeps the numbering
                vertices, triangles = np.full((3, 3), -1e6), np.array([[0, 1, 2]])
            self._scene.add_triangles(
                self._o3d.core.Tensor(np.ascontiguousarray(vertices, dtype=np.float32)),
                self._o3d.core.Tensor(np.ascontiguousarray(triangles, dtype=np.uint32)),
            )

    def cast(self, rays: NDArray[np.float32]) -> Hits:
        """First hits of rays `(N, 6)`: origin [m] and direction of length 1."""
        answer = self._scene.cast_rays(self._o3d.core.Tensor(rays))
        cosine = np.abs(np.einsum("ij,ij->i", answer["primitive_normals"].numpy(), rays[:, 3:]))
        return Hits(answer["t_hit"].numpy(), cosine, answer["geometry_ids"].numpy())


def load_open3d() -> Any:
    """Import open3d, which needs libusb: the copy of the Python package serves where the system has none.

    Raises:
        UrbanMapLocError: open3d is not installed or does not load.
    """
    if find_spec("libusb_package") is not None:
        import libusb_package

        library = libusb_package.get_library_path()
        if library is not None:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise UrbanMapLocError(f"open3d does not load ({error}); simulation needs `pip install open3d-cpu libusb-package`") from error
    return open3d
