"""Building extraction on raw KITTI scans against SemanticKITTI's labels: precision, recall, time of each stage (10 s)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from pipeline import data_folder, percentiles

from urban_map_loc.cloud.cloud import BUILDING, OTHER, Cloud
from urban_map_loc.cloud.extraction import building_mask
from urban_map_loc.cloud.rays import along_rays
from urban_map_loc.config import CloudConfig, TileConfig

SEQUENCES = ("00", "07", "02")
REPEATS = 10


def main() -> None:
    """Print a row a sequence, then the times."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    data = data_folder(options.parse_args().data) / "kitti_raw"
    cloud_config, tile = CloudConfig(kind="geometric"), TileConfig()
    times: dict[str, list[float]] = {"extraction": [], "nearest along rays": []}
    print("| sequence | scans | points kept | precision | recall |\n|---|---|---|---|---|")
    for sequence in SEQUENCES:
        kept = right = there = 0
        files = sorted((data / sequence / "velodyne").glob("*.bin"))
        for file in files:
            points = np.fromfile(file, np.float32).reshape(-1, 4)[:, :3]
            label = np.fromfile(data / sequence / "labels" / f"{file.stem}.label", np.uint32) & 0xFFFF
            cloud = Cloud(0.0, np.ascontiguousarray(points))
            mask = building_mask(cloud, cloud_config, tile.range_m)
            distance = np.hypot(points[:, 0], points[:, 1])
            building = (label == 50) & (distance < tile.range_m) & (distance > cloud_config.minimum_range_m)
            kept, right, there = kept + int(mask.sum()), right + int((mask & building).sum()), there + int(building.sum())
            for _ in range(REPEATS):
                begin = time.perf_counter()
                mask = building_mask(cloud, cloud_config, tile.range_m)
                middle = time.perf_counter()
                along_rays(cloud.points, np.where(mask, np.uint8(BUILDING), np.uint8(OTHER)), tile, cloud_config.minimum_range_m)
                times["extraction"].append((middle - begin) * 1e3)
                times["nearest along rays"].append((time.perf_counter() - middle) * 1e3)
        shares = (f"{right / kept:.3f}" if kept else "–", f"{right / there:.3f}" if there else "–")
        print(f"| {sequence} | {len(files)} | {kept} | {shares[0]} | {shares[1]} |")
    for stage, values in times.items():
        numbers = percentiles(values)
        print(f"{stage}: mean {numbers['mean']:.2f}, median {numbers['p50']:.2f}, 95 % {numbers['p95']:.2f} ms")


if __name__ == "__main__":
    main()
