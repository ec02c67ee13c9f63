# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How long a step of training takes, and what of it is drawing tiles, what the network (1 min; on a GPU where there is one)."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.config.variants import train_config
from urban_map_loc.mapnet.inference import choose_device
from urban_map_loc.simulation.town import write_town
from urban_map_loc.training.trainer import Trainer

WARM_UP = 3  # steps: kernels are compiled, and convolutions chosen


def milliseconds(do: Callable[[int], object], seconds: float, device: torch.device) -> float:
    """Median duration [ms] of `do(step)` over about so many seconds."""
    took: list[float] = []
    for step in range(10_000):
        start = time.perf_counter()
        do(step)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took.append(time.perf_counter() - start)
        if step >= 2 * WARM_UP and sum(took[WARM_UP:]) > seconds:
            break
    return 1e3 * float(np.median(took[WARM_UP:]))


def main() -> None:
    """A row for each batch."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--area", type=Path, metavar="AREA.gpkg", help="default: a generated town")
    options.add_argument("--preset", default="small", help="as of `urban_map_loc train` (default %(default)s)")
    options.add_argument("--batch", type=int, nargs="+", default=[192], help="tiles a step (default %(default)s)")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default %(default)s")
    options.add_argument("--seconds", type=float, default=8.0, help="of each figure")
    args = options.parse_args()
    with TemporaryDirectory() as folder:
        town = Path(folder) / "town.osm"
        if not args.area:
            write_town(town, seed=1)
        area = read_area(args.area) if args.area else read_osm(town)
    device = choose_device(args.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(
        f"{device.type}: {name}\n\n| tiles a step | whole step [ms] | drawing its tiles | the network alone |\n|---|---|---|---|",
        flush=True,
    )
    for tiles in args.batch:
        trainer = Trainer(
            area, train_config({"network.preset": args.preset, "training.batch_size": tiles, "training.steps": 1_000_000}), device
        )
        whole = milliseconds(lambda _, t=trainer: t.step(), args.seconds, device)
        trainer._settle()
        drawing = milliseconds(trainer._share, args.seconds, device)
        batch = trainer._share(0).to(device)
        network = milliseconds(lambda _, t=trainer, b=batch: t._backward(b), args.seconds, device)
        print(f"| {tiles} | {whole:.0f} | {drawing:.0f} | {network:.0f} |", flush=True)


if __name__ == "__main__":
    main()
