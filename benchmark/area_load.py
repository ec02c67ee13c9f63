# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a start of the node costs on a large area: reading it, its cached rasters, the verifier (25 km², 100,000 buildings; 1 min)."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from area_build import ROOT, generate

REPEATS = 3  # starts; the middle one is printed


def load(path: Path) -> None:
    """One start in a process of its own: print seconds of each part as JSON."""
    import urban_map_loc.localization.localizer
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.area.raster import BuildingRaster, raster_cache
    from urban_map_loc.config import LocalizerConfig
    from urban_map_loc.localization.verification import Verifier

    assert urban_map_loc.localization.localizer  # its imports are no part of the figures
    config, parts = LocalizerConfig(), {}

    def timed(name: str, part: Callable[[], object]) -> object:
        start = time.perf_counter()
        result = part()
        parts[name] = time.perf_counter() - start
        return result

    area = timed("read_area", lambda: read_area(path))
    raster = timed("rasters", lambda: BuildingRaster.from_area(area, config.raster, raster_cache(path)))
    timed("verifier", lambda: Verifier(area, raster, config.verification))
    parts["all"] = sum(parts.values())
    parts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(json.dumps(parts))


def main() -> None:
    """Print a row for the first start, which makes the rasters, and one for later ones."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--buildings", type=int, default=100_000)
    options.add_argument("--out", type=Path, default=ROOT / "build" / "area_build")
    options.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.load:
        load(args.load)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    extract, area = args.out / f"{args.buildings}.osm.pbf", args.out / f"{args.buildings}.gpkg"
    if not extract.exists():
        generate(extract, args.buildings, 0)
    # Made anew: the area's content decides whether kept rasters fit.
    subprocess.run(
        [sys.executable, "-m", "urban_map_loc", "area", "build", "--osm", str(extract), "--out", str(area)], check=True, cwd=ROOT
    )
    print("| start | read_area | rasters | verifier | all | peak memory |\n|---|---|---|---|---|---|", flush=True)
    for name, repeats in (("first", 1), ("warm", REPEATS)):
        runs = [_start(area) for _ in range(repeats)]
        p = sorted(runs, key=lambda run: run["all"])[repeats // 2]
        times = " | ".join(f"{p[part]:.2f} s" for part in ("read_area", "rasters", "verifier", "all"))
        print(f"| {name} | {times} | {p['peak_mb']:.0f} MB |", flush=True)


def _start(area: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__)), "--load", str(area)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
