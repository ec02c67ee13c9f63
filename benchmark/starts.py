"""Many starts of many drives: how soon it locks, whether ever wrongly, how good it is then and whether it knows (see --list)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from pipeline import ROOT, data_folder, store
from pipeline.drives import Drive, of_bag, simulated
from pipeline.starts import Outcome, run, starts, summary, with_every_cell, with_network

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.config import CloudConfig, LocalizerConfig, TileConfig
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.settings import from_dict, nested

MADE = ROOT / "build" / "benchmark"
ROUTE = "robotcar/2014-12-02-15-30-08/ins_at_images.csv"
STRETCHES_S = ((35.0, 364.0), (595.9, 1336.8), (1979.0, 2365.0))  # of that run inside the Oxford box
SIMULATED_HZ = 5.0


@dataclass(frozen=True)
class Scenario:
    """Drives on a map; where `off_map` is set, the drive is elsewhere and every lock is wrong."""

    localizer: Localizer
    drives: list[Drive]
    off_map: bool = False
    kidnaps: int = 0


@dataclass(frozen=True)
class Made:
    """Where things are, and what they are run with."""

    data: Path
    out: Path
    config: LocalizerConfig

    def kept(self, name: str) -> Path:
        """Where the answers of a scenario are kept."""
        return self.out / f"answers_{name}.npz"

    def kitti(self) -> Drive:
        """KITTI 07."""
        return self._drive("kitti", lambda: of_bag(BagReader(MADE / "kitti07" / "kitti_07"), CloudConfig(), TileConfig()))

    def oxford(self, stretch: int) -> Drive:
        """A stretch of the RobotCar route with a simulated HDL-64."""
        start, end = STRETCHES_S[stretch]
        route = Trajectory.read_csv(self.data / ROUTE)
        area = self.area("oxford")
        return self._drive(f"oxford_{stretch}", lambda: simulated(area, route, "hdl64", 0, start, end - start, SIMULATED_HZ))

    def _drive(self, name: str, make: Callable[[], Drive]) -> Drive:
        path = self.out / f"{name}.npz"
        if not path.is_file():
            make().save(path)
        return Drive.load(path)

    def area(self, name: str) -> AreaMap:
        """The map of a benchmark."""
        return read_area(MADE / {"kitti": "kitti07/kitti_07.gpkg", "oxford": "oxford/oxford.gpkg"}[name])

    def trained(self, name: str, area: AreaMap | None = None, key: str = "") -> Localizer:
        """With the benchmark's network, on its map or on one that lacks some of it."""
        model = load_checkpoint(MADE / {"kitti": "kitti07", "oxford": "oxford"}[name] / "model_0.safetensors")
        return with_network(area or self.area(name), model, self.config, self.kept(key or name))


def without(area: AreaMap, gone: np.ndarray) -> AreaMap:
    """The map without some of its buildings."""
    names = ("buildings_wgs84", "building_heights", "building_ids", "building_min_heights")
    return replace(area, **{name: getattr(area, name)[~gone] for name in names})


def missing(area: AreaMap, share: float, seed: int) -> AreaMap:
    """The map without a random share of its buildings."""
    return without(area, np.random.default_rng(seed).random(len(area.buildings)) < share)


def away_from(area: AreaMap, drive: Drive, metres: float) -> AreaMap:
    """The map without the buildings that the drive comes near to: the same kind of place, but never this one."""
    route = shapely.LineString(drive.truth.poses(area.plane)[:, :2])
    return without(area, shapely.dwithin(area.buildings, route, metres))


def sparse(area: AreaMap, drive: Drive, metres: float, seed: int) -> tuple[AreaMap, Drive]:
    """One building about every so many metres of road, on the map and in the scans."""
    count = int(shapely.length(area.roads).sum() / metres)
    gone = np.ones(len(area.buildings), dtype=bool)
    gone[np.random.default_rng(seed).permutation(len(gone))[:count]] = False
    tree, alone = shapely.STRtree(area.buildings), without(area, gone)

    def stays(places: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Hits of what is left; those of no building at all, a tenth, stay too."""
        nearest = tree.nearest(shapely.points(places))
        near = shapely.distance(area.buildings[nearest], shapely.points(places)) < 2.0
        return np.where(near, ~gone[nearest], True)

    return alone, drive.seen(stays, area)


SCENARIOS: dict[str, Callable[[Made], Scenario]] = {}


def scenario(name: str) -> Callable[[Callable[[Made], Scenario]], Callable[[Made], Scenario]]:
    """Register under a name."""

    def register(make: Callable[[Made], Scenario]) -> Callable[[Made], Scenario]:
        SCENARIOS[name] = make
        return make

    return register


@scenario("kitti")
def _(made: Made) -> Scenario:
    """KITTI 07 with its own odometry."""
    return Scenario(made.trained("kitti"), [made.kitti()])


@scenario("kitti-drift")
def _(made: Made) -> Scenario:
    """KITTI 07, its odometry 3 % long and turning 1 degree in 100 m."""
    return Scenario(made.trained("kitti"), [made.kitti().distorted(1.03, np.radians(0.01))])


@scenario("kitti-every-cell")
def _(made: Made) -> Scenario:
    """KITTI 07 with a search of every cell."""
    return Scenario(with_every_cell(made.area("kitti"), made.config, made.kept("kitti_every")), [made.kitti()])


@scenario("kitti-on-oxford")
def _(made: Made) -> Scenario:
    """KITTI 07 on Oxford's map."""
    return Scenario(made.trained("oxford", key="kitti_on_oxford"), [made.kitti()], off_map=True)


@scenario("oxford-on-kitti")
def _(made: Made) -> Scenario:
    """Oxford on KITTI 07's map."""
    return Scenario(made.trained("kitti", key="oxford_on_kitti"), [made.oxford(0), made.oxford(2)], off_map=True)


@scenario("kitti-away")
def _(made: Made) -> Scenario:
    """KITTI 07 on its map without the buildings within 60 m of the route."""
    drive = made.kitti()
    return Scenario(
        with_every_cell(away_from(made.area("kitti"), drive, 60.0), made.config, made.kept("kitti_away")), [drive], off_map=True
    )


@scenario("oxford-away")
def _(made: Made) -> Scenario:
    """Oxford on its map without the buildings within 60 m of the route."""
    drive = made.oxford(2)
    area = away_from(made.area("oxford"), drive, 60.0)
    return Scenario(with_every_cell(area, made.config, made.kept("oxford_away")), [drive], off_map=True)


@scenario("kitti-missing-30")
def _(made: Made) -> Scenario:
    """KITTI 07, 30 % of the map's buildings missing."""
    return Scenario(made.trained("kitti", missing(made.area("kitti"), 0.3, 1), "kitti_missing_30"), [made.kitti()])


@scenario("kitti-sparse-100")
def _(made: Made) -> Scenario:
    """KITTI 07 with one building per 100 m of road, in the scans as on the map."""
    area, drive = sparse(made.area("kitti"), made.kitti(), 100.0, 1)
    return Scenario(with_every_cell(area, made.config, made.kept("kitti_sparse_100")), [drive])


@scenario("kitti-sparse-50")
def _(made: Made) -> Scenario:
    """KITTI 07 with one building per 50 m of road, in the scans as on the map."""
    area, drive = sparse(made.area("kitti"), made.kitti(), 50.0, 1)
    return Scenario(with_every_cell(area, made.config, made.kept("kitti_sparse_50")), [drive])


@scenario("oxford")
def _(made: Made) -> Scenario:
    """RobotCar's route in Oxford, simulated HDL-64, odometry 3 % long and turning 1 degree in 100 m."""
    drives = [made.oxford(k).distorted(1.03, np.radians(0.01)) for k in range(3)]
    return Scenario(made.trained("oxford"), drives)


@scenario("oxford-missing-30")
def _(made: Made) -> Scenario:
    """Oxford, 30 % of the map's buildings missing."""
    drive = made.oxford(2).distorted(0.98, -np.radians(0.005))
    return Scenario(made.trained("oxford", missing(made.area("oxford"), 0.3, 1), "oxford_missing_30"), [drive])


@scenario("oxford-kidnapped")
def _(made: Made) -> Scenario:
    """Oxford, carried from one place to another 20 times."""
    return Scenario(made.trained("oxford"), [made.oxford(k).distorted(1.03, np.radians(0.01)) for k in range(3)], kidnaps=20)


@scenario("kitti-kidnapped")
def _(made: Made) -> Scenario:
    """KITTI 07, carried from one place to another 20 times."""
    return Scenario(made.trained("kitti"), [made.kitti()], kidnaps=20)


def kidnapped(drives: list[Drive], count: int, seed: int, before_s: float = 20.0, after_s: float = 30.0) -> list[tuple[Drive, float]]:
    """Drives that go on elsewhere after `before_s`, and the stamp at which they do."""
    random = np.random.default_rng(seed)
    out = []
    while len(out) < count:
        one, other = (drives[i] for i in random.integers(0, len(drives), 2))
        begin, end = (float(random.uniform(d.start_s, d.end_s - s)) for d, s in ((one, before_s), (other, after_s)))
        first = one.between(begin, begin + before_s)
        out.append((first.then(other.between(end, end + after_s)), first.end_s))
    return out


def found_again(outcome: Outcome, carried_s: float) -> float:
    """Time from being carried away until the pose is right and stays so for a second [s]."""
    position = np.hypot(*np.array(outcome.errors).reshape(-1, 2).T)
    stamps = np.array(outcome.stamps)
    right = stamps[(stamps > carried_s + 0.05) & (position < 3.0)]
    return float(right[0] - carried_s) if len(right) else np.inf


def measure(name: str, made: Made, every_s: float, length_s: float, verbose: bool) -> dict[str, float]:
    """The figures of a scenario."""
    case = SCENARIOS[name](made)
    outcomes: list[Outcome] = []
    again: list[float] = []
    if case.kidnaps:
        for drive, carried_s in kidnapped(case.drives, case.kidnaps, seed=1):
            outcomes.append(run(case.localizer, drive))
            again.append(found_again(outcomes[-1], carried_s))
            if verbose:
                print(f"  again after {again[-1]:.1f} s; {outcomes[-1].lost}", flush=True)
    else:
        for drive in case.drives:
            for outcome in starts(case.localizer, drive, every_s, length_s):
                outcomes.append(outcome)
                if verbose:
                    position = np.hypot(*np.array(outcome.errors).reshape(-1, 2).T)
                    seen = f"mean {position.mean():.2f} max {position.max():.1f} m, {outcome.wrong} wrong" if len(position) else ""
                    at = outcome.start_s - drive.start_s
                    print(
                        f"  {at:5.0f} s: {outcome.lock_s:5.1f} s {outcome.driven_m:4.0f} m {seen} | {outcome.lock_reason} | {outcome.lost}",
                        flush=True,
                    )
    case.localizer.search.save()  # type: ignore[attr-defined]
    figures = summary(outcomes)
    if case.off_map:
        figures["wrong"] = figures["starts"] - figures["never"]
    if again:
        figures |= {"again_10_s": float(np.mean(np.array(again) <= 10.0)), "wrong_s": float(np.mean([o.wrong for o in outcomes]))}
    return figures


COLUMNS = {
    "starts": "starts", "lock_5_s": "≤ 5 s", "lock_10_s": "≤ 10 s", "lock_15_s": "≤ 15 s", "never": "never", "wrong": "wrong", "lost": "lost",
    "mean_m": "mean [m]", "p95_m": "p95 [m]", "max_m": "max [m]", "along_m": "along [m]", "across_m": "across [m]", "heading_deg": "heading [°]",
    "cover_1": "1σ", "cover_2": "2σ", "cover_3": "3σ", "heading_cover_1": "h 1σ", "heading_cover_2": "h 2σ", "heading_cover_3": "h 3σ",
    "step_ms": "step [ms]", "step_p95_ms": "p95 [ms]", "again_10_s": "again ≤ 10 s",
}  # fmt: skip


def markdown(results: dict[str, dict[str, float]]) -> str:
    """One row a scenario."""
    columns = {key: title for key, title in COLUMNS.items() if any(key in row for row in results.values())}
    lines = ["| | " + " | ".join(columns.values()) + " |", "|---|" + "---|" * len(columns)]
    for name, row in results.items():
        values = [(f"{row[k]:.0f}" if isinstance(row[k], int) else f"{row[k]:.2f}") if k in row else "–" for k in columns]
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the scenarios that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="which (default: all)")
    parser.add_argument("--list", action="store_true", help="say what each is, and end")
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument("--out", type=Path, default=MADE / "starts", help="where everything is kept (default: %(default)s)")
    parser.add_argument("--every", type=float, default=5.0, metavar="S", help="seconds between two starts (default: %(default)s)")
    parser.add_argument("--for", dest="length", type=float, default=40.0, metavar="S", help="length of each start (default: %(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings, such as fusion.lock_score=0.7")
    parser.add_argument("--verbose", action="store_true", help="a line a start")
    options = parser.parse_args()
    if options.list:
        for name, make in SCENARIOS.items():
            print(f"{name:20s} {make.__doc__}")
        return
    values = {name: json.loads(value) for name, value in (pair.split("=") for pair in options.set)}
    made = Made(data_folder(options.data), options.out, from_dict(LocalizerConfig, nested(values)))
    options.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in options.scenarios or SCENARIOS:
        print(name, flush=True)
        results[name] = measure(name, made, options.every, options.length, options.verbose)
        print(json.dumps(results[name]), flush=True)
    store(options.out, results, markdown(results))


if __name__ == "__main__":
    main()
