# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Stereo clouds of KITTI's colour pairs against the lidar of the same moment: depth, tiles, extraction (20 s)."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pipeline import data_folder
from scipy.ndimage import binary_dilation
from scipy.spatial import cKDTree

from urban_map_loc.bags.kitti_stereo import KittiPairs
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extraction import building_mask
from urban_map_loc.cloud.stereo import match, read_image, smoothed
from urban_map_loc.config import CloudConfig, StereoConfig, TileConfig
from urban_map_loc.tile.grid import TileGrid

BUILDING = 50  # SemanticKITTI
NEAR_M = 30.0
SAME_M = 1.0  # a stereo point has the class of the lidar point that is no further away
# Who tells buildings; the second is told how ranges of smoothed pairs err.
WAYS = {
    "geometric": CloudConfig(kind="geometric"),
    "geometric, depth_noise_per_m 0.0003": CloudConfig(kind="geometric", depth_noise_per_m=0.0003),
}


@dataclass
class Figures:
    """Sums over the pairs of a sequence."""

    errors: list[NDArray[np.float64]] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    overlap: dict[str, list[tuple[int, int, int, int]]] = field(default_factory=dict)


def main() -> None:
    """Print a table of depths and one of tiles."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    options.add_argument("--fcn", default="", metavar="FCN", help="measure a segmentation too")
    given = options.parse_args()
    data, ways = data_folder(given.data) / "kitti_raw", dict(WAYS)
    if given.fcn:
        ways["fcn"] = CloudConfig(kind="fcn", fcn_model=given.fcn)
    figures = {sequence: measure(data / sequence, ways) for sequence in ("00", "07")}
    print(f"| sequence | pairs | points | median relative depth error under {NEAR_M:g} m | of the lidar's points seen | s a pair |")
    print("|---|---|---|---|---|---|")
    for sequence, f in figures.items():
        error = np.median(np.abs(np.concatenate(f.errors)))
        print(
            f"| {sequence} | {len(f.points)} | {np.mean(f.points):.0f} | {100 * error:.1f} % | {100 * np.mean(f.seen):.0f} % "
            f"| {np.median(f.seconds):.2f} |"
        )
    print("\n| sequence | stereo points on buildings by | tile pixels | of them on the lidar's | of lidar's found |\n|---|---|---|---|---|")
    for sequence, f in figures.items():
        for way, counts in f.overlap.items():
            found, right, there, covered = np.sum(counts, axis=0)
            shares = (f"{100 * right / found:.0f} %" if found else "–", f"{100 * covered / there:.0f} %")
            print(f"| {sequence} | {way} | {found} | {shares[0]} | {shares[1]} |")


def measure(folder: Path, told: dict[str, CloudConfig]) -> Figures:
    """Every pair of a sequence."""
    stereo, out = StereoConfig(), Figures()
    pairs = KittiPairs(folder, stereo)
    reach = pairs.rig.reach_m(stereo.depth_error_m, stereo.disparity_error_px)
    for frame, left_file in pairs.files.items():
        begin = time.perf_counter()
        cloud = pairs.cloud(frame, 0.0)
        out.seconds.append(time.perf_counter() - begin)
        out.points.append(len(cloud.points))
        lidar = np.fromfile(folder / "velodyne" / f"{left_file.stem}.bin", np.float32).reshape(-1, 4)[:, :3]
        label = np.fromfile(folder / "labels" / f"{left_file.stem}.label", np.uint32) & 0xFFFF
        left, right = (read_image(folder / name / left_file.name) for name in ("image_2", "image_3"))
        depth = pairs.rig.depth(smoothed(match(left, right, stereo), stereo))
        errors, seen = depth_errors(depth, lidar, pairs)
        out.errors.append(errors)
        out.seen.append(seen)
        half_view = np.arctan(0.5 * left.shape[1] / pairs.rig.focal_px)
        inside = (np.abs(np.arctan2(lidar[:, 1], lidar[:, 0])) < half_view) & (np.hypot(lidar[:, 0], lidar[:, 1]) < reach)
        walls = lidar[(label == BUILDING) & inside]
        distance, nearest = cKDTree(lidar).query(cloud.points)
        ways = {"the lidar's labels": (distance < SAME_M) & (label[nearest] == BUILDING)}
        ways |= {way: building_mask(Cloud(0.0, cloud.points), config) for way, config in told.items()}
        for way, mask in ways.items():
            out.overlap.setdefault(way, []).append(overlap(cloud.points[mask], walls, lidar[label == BUILDING]))
    return out


def depth_errors(depth: NDArray[np.floating], lidar: NDArray[np.float32], pairs: KittiPairs) -> tuple[NDArray[np.float64], float]:
    """Relative errors of stereo depth where both see something near, and the share of the lidar's near points in the image with a depth."""
    T, rig = pairs.T_velo_camera, pairs.rig
    points = (lidar - T.translation) @ T.rotation
    points = points[(points[:, 2] > 1.0) & (points[:, 2] < NEAR_M)]
    column, row = np.rint(rig.focal_px * points[:, :2] / points[:, 2:] + (rig.cx, rig.cy)).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < depth.shape[1]) & (row < depth.shape[0])
    found, true = depth[row[inside], column[inside]], points[inside, 2]
    both = np.isfinite(found)
    return (found[both] - true[both]) / true[both], float(both.mean())


def overlap(found: NDArray[np.float32], view: NDArray[np.float32], everything: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Pixels of the found tile, those at most a pixel from any wall of the lidar, the lidar's in view, and those of them found."""
    grid = TileGrid(TileConfig())
    tile, wanted, any_wall = (grid.draw(points[:, :2].astype(np.float64)).astype(bool) for points in (found, view, everything))
    near = np.ones((3, 3), bool)
    right, covered = tile & binary_dilation(any_wall, near), wanted & binary_dilation(tile, near)
    return int(tile.sum()), int(right.sum()), int(wanted.sum()), int(covered.sum())


if __name__ == "__main__":
    main()
