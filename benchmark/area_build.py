# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`area build` on generated extracts of a city's size: time and peak memory (1 min; 1,000,000 buildings: --sizes 1000000)."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import osmium

ROOT = Path(__file__).resolve().parents[1]
WEST, SOUTH = 6.0, 54.5  # in the North Sea: nobody takes it for a real place
BLOCK_BUILDINGS = 40  # houses between two streets, in two rows
KM2_PER_BUILDING = 25.0 / 100_000.0
M_PER_DEG = np.array([64_850.0, 111_300.0])  # east, north, at that latitude; rough is enough
RELATION_EVERY = 100  # one building in so many has a courtyard


class _Writer:
    """Objects must come sorted: nodes, ways, relations; ways and relations wait until the nodes are out."""

    def __init__(self, path: Path) -> None:
        header = osmium.io.Header()
        header.set("generator", "urban_map_loc area benchmark, generated")
        self._out = osmium.SimpleWriter(str(path), header=header, overwrite=True)
        self._nodes = 0
        self._ways: list[tuple[int, int, bool, dict[str, str]]] = []  # first node, count, closed, tags
        self._relations: list[tuple[int, int]] = []

    def line(self, corners: np.ndarray, tags: dict[str, str], *, closed: bool) -> int:
        """Write the nodes `(N, 2)` [m] of a way and remember it; its number."""
        degrees = np.array([WEST, SOUTH]) + corners / M_PER_DEG
        for k, (lon, lat) in enumerate(degrees.tolist(), start=self._nodes + 1):
            self._out.add_node(osmium.osm.mutable.Node(id=k, version=1, location=(round(lon, 7), round(lat, 7))))
        self._ways.append((self._nodes + 1, len(corners), closed, tags))
        self._nodes += len(corners)
        return len(self._ways)

    def courtyard(self, outer: int, inner: int) -> None:
        """Two ways become one building."""
        self._relations.append((outer, inner))

    def close(self) -> None:
        """Write what waits."""
        for k, (first, count, closed, tags) in enumerate(self._ways, start=1):
            nodes = [*range(first, first + count), *([first] if closed else [])]
            self._out.add_way(osmium.osm.mutable.Way(id=k, version=1, nodes=nodes, tags=tags))
        for k, (outer, inner) in enumerate(self._relations, start=1):
            members, tags = [("w", outer, "outer"), ("w", inner, "inner")], {"type": "multipolygon", "building": "yes"}
            self._out.add_relation(osmium.osm.mutable.Relation(id=k, version=1, members=members, tags=tags))
        self._out.close()


def generate(path: Path, buildings: int, seed: int) -> None:
    """Write about so many buildings in rows along streets, some L-shaped, some with a courtyard, some hedges."""
    random = np.random.default_rng(seed)
    blocks = int(np.ceil(buildings / BLOCK_BUILDINGS))
    side = int(np.ceil(np.sqrt(blocks)))
    width = np.sqrt(KM2_PER_BUILDING * BLOCK_BUILDINGS) * 1000.0  # of a block [m]
    out, made = _Writer(path), 0
    pitch = width / (BLOCK_BUILDINGS // 2)
    for block in range(blocks):
        corner = np.array([block % side, block // side]) * width
        for along in (np.array([[0.0, 0.0], [0.5 * width, 0.4], [width, 0.0]]), np.array([[0.0, 0.0], [0.3, 0.5 * width], [0.0, width]])):
            out.line(corner + along, {"highway": "residential", "name": f"Street {block}"}, closed=False)
        out.line(corner + np.array([[8.0, 0.5 * width], [width - 8.0, 0.5 * width]]), {"barrier": "hedge"}, closed=False)
        for k in range(min(BLOCK_BUILDINGS, buildings - made)):
            east, north = 6.0 + (k % 20) * 0.95 * pitch, 7.0 if k < 20 else width - 17.0
            w, h = random.uniform(0.6, 0.9) * 0.95 * pitch, random.uniform(7.0, 10.0)
            shape = np.array([[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]])
            if random.random() < 0.5:
                shape = np.array([[0.0, 0.0], [w, 0.0], [w, 0.5 * h], [0.5 * w, 0.5 * h], [0.5 * w, h], [0.0, h]])
            made += 1
            here = corner + np.array([east, north])
            if made % RELATION_EVERY:
                out.line(
                    here + shape, {"building": "house", "building:levels": str(1 + made % 4), "addr:housenumber": str(made)}, closed=True
                )
            else:
                whole = np.array([[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]])
                yard = 0.25 * np.array([w, h]) + 0.5 * whole
                out.courtyard(out.line(here + whole, {}, closed=True), out.line(here + yard, {}, closed=True))
    out.close()


def main() -> None:
    """Print a row a size."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="numbers of buildings")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, default=ROOT / "build" / "area_build")
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    print("| buildings | .osm.pbf | area build | peak memory | AREA.gpkg | reading it again |\n|---|---|---|---|---|---|", flush=True)
    for size in args.sizes:
        extract, area = args.out / f"{size}.osm.pbf", args.out / f"{size}.gpkg"
        if not extract.exists():
            part = args.out / f"part.{size}.osm.pbf"
            generate(part, size, args.seed)
            part.rename(extract)
        seconds, peak = _run([sys.executable, "-m", "urban_map_loc", "area", "build", "--osm", str(extract), "--out", str(area)])
        code = "import sys, pathlib; from urban_map_loc.area.geopackage import read_area; import time; t = time.perf_counter();"
        code += "read_area(pathlib.Path(sys.argv[1])).buildings; print(f'{time.perf_counter() - t:.1f}')"
        again = subprocess.run([sys.executable, "-c", code, str(area)], check=True, capture_output=True, text=True, cwd=ROOT)
        sizes = [f"{path.stat().st_size / 1e6:.1f} MB" for path in (extract, area)]
        print(f"| {size:,} | {sizes[0]} | {seconds:.1f} s | {peak:.0f} MB | {sizes[1]} | {again.stdout.strip()} s |", flush=True)


def _run(command: list[str]) -> tuple[float, float]:
    """Wall time [s] and peak memory [MB] of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024.0


if __name__ == "__main__":
    main()
