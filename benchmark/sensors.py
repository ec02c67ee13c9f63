# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The same settings for every simulated sensor: points, tiles and single-scan answers, on KITTI 07's and Oxford's maps (15 min).

Tiles are compared with those that the labelled points make, and with the map's own view from the true pose. Answers come from
verification alone, over every drivable cell of the map: no network, no history, heading unknown. With `--model`, a MapNet trained on
KITTI 07's map, KITTI's scans are answered as a localizer answers one scan, too: its guesses, verified.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pipeline import ROOT, data_folder, step, store
from pipeline.clouds import BUILDING, CHANGES, Seen, facing, kitti_scans, simulated_scans
from pipeline.real_scans import everywhere, kitti_00, kitti_07
from scipy.ndimage import maximum_filter

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extraction import building_mask
from urban_map_loc.cloud.scan import BuildingScan, scan_of_cloud
from urban_map_loc.config import CloudConfig, LocalizerConfig, TileConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.simulation.lidar import SENSORS
from urban_map_loc.tile.from_cloud import ScanRenderer
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.tile.grid import TileGrid

KITTI = "KITTI 07"
MAPS = {
    KITTI: ("kitti/07/map.osm", "kitti/07/truth.csv"),
    "Oxford": ("oxford/oxford.osm", "robotcar/2014-12-02-15-30-08/ins_at_images.csv"),
}
RIGHT_M = 5.0
NEAR_M = 30.0


@dataclass
class Place:
    """A map, and what is needed to answer on it."""

    area: AreaMap
    raster: BuildingRaster
    verifier: Verifier
    cells: Hypotheses
    renderer: MapRenderer
    network: MapNet | None = None

    @classmethod
    def of(cls, path: Path, tile: TileConfig, model: Path | None = None) -> Place:
        """From an area file, and a model of it."""
        area, config = read_area(path), LocalizerConfig()
        raster = BuildingRaster.from_area(area, config.raster, raster_cache(path))
        cells = everywhere(area)
        verification = type(config.verification)(cells=len(cells.log_probability))
        network = None
        if model is not None:
            checkpoint = load_checkpoint(model)
            checkpoint.check_area(area, str(path))
            network = checkpoint.network
        return cls(area, raster, Verifier(area, raster, verification), cells, MapRenderer(raster, tile), network)

    def right(self, scan: BuildingScan, tile: TileConfig, truth: Pose2) -> tuple[bool, bool]:
        """Whether the best answer to a scan is within `RIGHT_M` of the truth: of verification alone, of the network's guesses verified."""
        guesses = [self.cells]
        if self.network is not None:
            image = ScanRenderer(tile).tile(scan.points, scan.seen_m, scan.road).image
            guesses.append(self.network.hypotheses(image, LocalizerConfig().verification.cells))
        answers = [self.verifier.answers(scan.points, guess) for guess in guesses]
        right = [bool(best) and best[0].T_map_base.distance_to(truth) < RIGHT_M for best in answers]
        return right[0], right[-1]


@dataclass
class Figures:
    """Sums over the scans of a row: what the extraction `told` gives against labels."""

    told: CloudConfig
    points: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, dtype=np.int64))
    pixels: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    # Right answers by labels and by `told`: of verification alone, and of the network's guesses verified.
    right: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 2), dtype=np.int64))
    scans: int = 0

    def add(self, place: Place, seen: Seen, tile: TileConfig, depth_noise_per_m: float = 0.0) -> None:
        """Take a labelled scan; its sensor's noise is the only thing that is told of it."""
        self.scans += 1
        cloud, grid, tiles = seen.cloud, TileGrid(tile), {}
        distance = np.hypot(cloud.points[:, 0], cloud.points[:, 1])
        there = (cloud.label == BUILDING) & (distance > CloudConfig().minimum_range_m) & (distance < tile.range_m)
        told = replace(self.told, depth_noise_per_m=depth_noise_per_m)
        found = building_mask(cloud, told, tile.range_m)
        self.points += (found & there).sum(), found.sum(), there.sum()
        for row, (name, config) in enumerate({"labels": CloudConfig(kind="labels"), "found": told}.items()):
            try:
                scan = scan_of_cloud(cloud, config, tile)
            except CloudError:
                tiles[name] = grid.draw(np.zeros((0, 2)))
                continue
            tiles[name] = grid.draw(scan.points)
            self.right[row] += place.right(scan, tile, seen.T_map_base)
        tiles["map"] = place.renderer.tiles(seen.T_map_base.as_array()[None])[0]
        for other in ("labels", "map"):
            counts = (*_alike(tiles["found"], tiles[other]), *_alike(tiles[other], tiles["found"]))
            self.pixels[other] = self.pixels.get(other, np.zeros(4, dtype=np.int64)) + counts

    @property
    def row(self) -> str:
        """Of a table."""
        right, found, there = self.points
        shares = [f"{right / max(found, 1):.2f}", f"{right / max(there, 1):.2f}"]
        for counts in self.pixels.values():
            shares += [f"{100 * counts[0] / max(counts[1], 1):.0f} %", f"{100 * counts[2] / max(counts[3], 1):.0f} %"]
        return " | ".join([*shares, *(f"{labels}, {kind} of {self.scans}" for labels, kind in self.right.T)])


def _alike(tile: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[int, int]:
    """Of a tile's wall pixels, those within a pixel of the other's, and all."""
    return int((tile & maximum_filter(other, size=3)).sum()), int(tile.sum())


def real(place: Place, data: Path) -> Iterator[tuple[str, Seen]]:
    """KITTI's raw scans, whole, with few beams, cut short and halved: what was seen, as rows of the table."""
    poses = {"00": kitti_00(data, place.area, place.raster).poses, "07": kitti_07(data, place.area).poses}
    for sequence, truth in poses.items():
        for k, (name, scan) in enumerate(kitti_scans(data / "kitti_raw" / sequence)):
            T_map_base = Pose2.from_array(truth[k if sequence == "00" else int(name)])
            short = Cloud(0.0, scan.points.copy(), scan.label)
            short.points[np.hypot(scan.points[:, 0], scan.points[:, 1]) > NEAR_M] = 1e6
            views = [("whole", scan), ("16 of 64 beams", CHANGES["16 of 64 beams"](scan)), (f"within {NEAR_M:g} m", short)]
            views += [("half", facing(scan, angle)) for angle in np.radians([0.0, 90.0, 180.0, 270.0])]
            for view, cloud in views:
                yield f"KITTI {sequence}, {view}", Seen(cloud, T_map_base)


def main() -> None:
    """Print the tables of real and of simulated scans."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "sensors", help="default: %(default)s")
    options.add_argument("--places", type=int, default=12, help="simulated scans of each sensor on each map (default: %(default)s)")
    options.add_argument("--fcn", default="", metavar="FCN", help="a segmentation that tells buildings (default: their shape)")
    options.add_argument("--model", type=Path, default=None, metavar="MODEL", help="MapNet trained on KITTI 07's map (kitti/07/map.osm)")
    given = options.parse_args()
    data, tile, rows = data_folder(given.data), TileConfig(), dict[str, Figures]()
    told = CloudConfig(kind="fcn" if given.fcn else "geometric", fcn_model=given.fcn)
    given.out.mkdir(parents=True, exist_ok=True)

    def add(row: str, place: Place, seen: Seen, depth_noise_per_m: float = 0.0) -> None:
        rows.setdefault(row, Figures(told)).add(place, seen, tile, depth_noise_per_m)

    for name, (osm, route) in MAPS.items():
        path = given.out / f"{name.replace(' ', '_').lower()}.gpkg"
        step("area", "build", "--osm", data / osm, "--out", path)
        place = Place.of(path, tile, given.model if name == KITTI else None)
        for sensor, known in SENSORS.items() if given.places else ():
            for seen in simulated_scans(place.area, Trajectory.read_csv(data / route), sensor, given.places, seed=3):
                add(f"{name}, simulated {sensor}", place, seen, known.depth_noise_per_m)
        if name == KITTI:
            for row, seen in real(place, data):
                add(row, place, seen)
    text = (
        "| scans | precision | recall | pixels on those of labels | pixels of labels found | on the map's | of the map's found "
        f"| within {RIGHT_M:g} m by labels, by {told.kind} | the same with the network |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    text += "\n".join(f"| {name} | {figures.row} |" for name, figures in rows.items())
    for what, ending in (("whole", "whole"), ("16 of 64 beams", "16 of 64 beams"), ("half", "half")):
        right = np.sum([f.right for name, f in rows.items() if name.endswith(ending)], axis=0)
        for how, (labels, kind) in zip(("verification alone", "network and verification"), right.T, strict=True):
            if how == "verification alone" or given.model is not None:
                share = 100.0 * kind / max(labels, 1)
                text += f"\n\nKITTI 00 and 07, {what}, {how}: {labels} right by labels, {kind} by {told.kind}: {share:.0f} %"
    store(given.out, {name: {"scans": f.scans, "right": f.right.tolist()} for name, f in rows.items()}, text)


if __name__ == "__main__":
    main()
