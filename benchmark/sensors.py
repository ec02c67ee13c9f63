"""The same settings for every simulated sensor: points, tiles and single-scan answers, on KITTI 07's and Oxford's maps (15 min).

Tiles are compared with those that the labelled points make, and with the map's own view from the true pose. Answers come from
verification alone, over every drivable cell of the map: no network, no history, heading unknown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from urban_map_loc.cloud.scan import scan_of_cloud
from urban_map_loc.config import CloudConfig, LocalizerConfig, TileConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.simulation.lidar import SENSORS
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.tile.grid import TileGrid

MAPS = {
    "KITTI 07": ("kitti/07/map.osm", "kitti/07/truth.csv"),
    "Oxford": ("oxford/oxford.osm", "robotcar/2014-12-02-15-30-08/ins_at_images.csv"),
}
WAYS = ("labels", "geometric")
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

    @classmethod
    def of(cls, path: Path, tile: TileConfig) -> Place:
        """From an area file."""
        area, config = read_area(path), LocalizerConfig()
        raster = BuildingRaster.from_area(area, config.raster, raster_cache(path))
        cells = everywhere(area)
        verification = type(config.verification)(cells=len(cells.log_probability))
        return cls(area, raster, Verifier(area, raster, verification), cells, MapRenderer(raster, tile))

    def right(self, points: NDArray[np.float64], truth: Pose2) -> bool:
        """Whether the best answer to hits `(N, 2)` [m] is within `RIGHT_M` of the truth."""
        answers = self.verifier.answers(points, self.cells)
        return bool(answers) and answers[0].T_map_base.distance_to(truth) < RIGHT_M


@dataclass
class Figures:
    """Sums over the scans of a row."""

    points: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, dtype=np.int64))
    pixels: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    scans: int = 0

    def add(self, place: Place, seen: Seen, tile: TileConfig, depth_noise_per_m: float = 0.0) -> None:
        """Take a labelled scan; its sensor's noise is the only thing that is told of it."""
        self.scans += 1
        cloud, grid, tiles = seen.cloud, TileGrid(tile), {}
        distance = np.hypot(cloud.points[:, 0], cloud.points[:, 1])
        there = (cloud.label == BUILDING) & (distance > CloudConfig().minimum_range_m) & (distance < tile.range_m)
        ways = {way: CloudConfig(kind=way, depth_noise_per_m=depth_noise_per_m) for way in WAYS}
        found = building_mask(cloud, ways["geometric"], tile.range_m)
        self.points += (found & there).sum(), found.sum(), there.sum()
        for way, config in ways.items():
            try:
                points = scan_of_cloud(cloud, config, tile).points
            except CloudError:
                points = np.zeros((0, 2))
            tiles[way] = grid.draw(points)
            self.right[way] += len(points) > 0 and place.right(points, seen.T_map_base)
        tiles["map"] = place.renderer.tiles(seen.T_map_base.as_array()[None])[0]
        for other in ("labels", "map"):
            counts = (*_alike(tiles["geometric"], tiles[other]), *_alike(tiles[other], tiles["geometric"]))
            self.pixels[other] = self.pixels.get(other, np.zeros(4, dtype=np.int64)) + counts

    @property
    def row(self) -> str:
        """Of a table."""
        right, found, there = self.points
        shares = [f"{right / max(found, 1):.2f}", f"{right / max(there, 1):.2f}"]
        for counts in self.pixels.values():
            shares += [f"{100 * counts[0] / max(counts[1], 1):.0f} %", f"{100 * counts[2] / max(counts[3], 1):.0f} %"]
        return " | ".join([*shares, *(f"{count} of {self.scans}" for count in self.right.values())])


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
    given = options.parse_args()
    data, tile, rows = data_folder(given.data), TileConfig(), dict[str, Figures]()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, (osm, route) in MAPS.items():
        path = given.out / f"{name.replace(' ', '_').lower()}.gpkg"
        step("area", "build", "--osm", data / osm, "--out", path)
        place = Place.of(path, tile)
        for sensor, known in SENSORS.items():
            for seen in simulated_scans(place.area, Trajectory.read_csv(data / route), sensor, given.places, seed=3):
                rows.setdefault(f"{name}, simulated {sensor}", Figures()).add(place, seen, tile, known.depth_noise_per_m)
        if name == "KITTI 07":
            for row, seen in real(place, data):
                rows.setdefault(row, Figures()).add(place, seen, tile)
    text = (
        "| scans | precision | recall | pixels on those of labels | pixels of labels found | on the map's | of the map's found "
        f"| within {RIGHT_M:g} m by labels | by shape |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    text += "\n".join(f"| {name} | {figures.row} |" for name, figures in rows.items())
    total = {way: sum(f.right[way] for name, f in rows.items() if "simulated" not in name) for way in WAYS}
    text += f"\n\nKITTI's scans answered within {RIGHT_M:g} m: {total['labels']} by labels, {total['geometric']} by shape"
    store(given.out, {name: {"scans": f.scans, "right": f.right} for name, f in rows.items()}, text)


if __name__ == "__main__":
    main()
