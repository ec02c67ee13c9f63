"""Scan to fix through the real node over DDS, in real time; arguments: AREA.gpkg MODEL.safetensors BAG [RUN]."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from urban_map_loc.cli.through_node import drive_through_node
from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.evaluation.run_files import read_run


def main(area: Path, model: Path, bag: Path, out: Path = Path("build/bench/node_latency")) -> None:
    """Print answered clouds and latency; a delay that grows shows as a second half slower than the first."""
    answered, clouds = drive_through_node(area, model, bag, out)
    estimates = read_run(out).estimates
    latency_ms = estimates.latency_ms
    print(f"{bag}: {answered} of {clouds} clouds answered, {np.mean(estimates.state == 'locked'):.0%} of them locked")
    half = len(latency_ms) // 2
    for name, part in (("all", latency_ms), ("first half", latency_ms[:half]), ("second half", latency_ms[half:])):
        p50, p95 = np.percentile(part, [50, 95])
        print(f"scan to fix, {name}: mean {part.mean():.1f} ms, p50 {p50:.1f}, p95 {p95:.1f}, max {part.max():.1f}")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    try:
        main(*map(Path, sys.argv[1:]))
    except UrbanMapLocError as error:
        sys.exit(f"node_latency: {error}")
