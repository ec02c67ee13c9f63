# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: the command line's steps in this process, the data folder, the table of figures."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from urban_map_loc.cli.main import run as command_line
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.settings import from_dict, nested

ROOT = Path(__file__).resolve().parents[2]


def memory_mb() -> tuple[float, float]:
    """Resident and anonymous memory of this process, the latter without files that are mapped [MB]."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    resident, anonymous = (int(found[name].split()[0]) / 1024.0 for name in ("VmRSS", "RssAnon"))
    return resident, anonymous


def step(*arguments: str | Path) -> float:
    """Run one command of `urban_map_loc` and return its duration [s]; a failure ends the benchmark with the command's status."""
    words = [str(a) for a in arguments]
    print(f"$ urban_map_loc {' '.join(words)}", flush=True)
    start = time.monotonic()
    status = command_line(words)
    if status != 0:
        sys.exit(status)
    return time.monotonic() - start


def parser(description: str, out: str, minutes: float) -> argparse.ArgumentParser:
    """The options that every benchmark of the whole chain has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    options.add_argument(
        "--out", type=Path, default=ROOT / "build" / "benchmark" / out, help="where everything is kept (default: %(default)s)"
    )
    options.add_argument(
        "--minutes", type=float, default=minutes, help="training budget of each seed; 0: the packaged weights (default: %(default)s)"
    )
    options.add_argument("--seeds", type=int, nargs="+", default=[0], help="one training and one run each (default: 0)")
    options.add_argument("--reuse", action="store_true", help="keep models and bags that are there already")
    return options


def data_folder(given: Path | None) -> Path:
    """The folder with the datasets; ends the benchmark with one line where there is none."""
    folder = given or Path(os.environ.get("URBAN_MAP_LOC_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"{folder} does not exist; name the data folder with --data or URBAN_MAP_LOC_DATA")
    return folder


def train_and_localize(area: Path, options: argparse.Namespace, bag_of_seed: Callable[[int], Path]) -> dict[int, dict[str, Any]]:
    """Train, localize and evaluate once a seed; the metrics by seed, with the durations of the steps [s]."""
    results = {}
    for seed in options.seeds:
        model, run = options.out / f"model_{seed}.safetensors", options.out / f"run_{seed}"
        durations = {}
        if not (options.reuse and model.is_file()):
            budget = ("--minutes", str(options.minutes)) if options.minutes else ()
            durations["train"] = step("train", area, "--out", model, *budget, "--seed", str(seed))
        bag = bag_of_seed(seed)
        durations["localize"] = step("localize", bag, "--area", area, "--model", model, "--out", run, "--seed", str(seed))
        durations["evaluate"] = step("evaluate", run)
        results[seed] = json.loads((run / "metrics.json").read_text(encoding="utf-8")) | {"durations_s": durations}
    return results


def table(results: dict[int, dict[str, Any]], wanted: dict[str, Callable[[dict[str, Any]], bool]]) -> str:
    """The figures as a Markdown table, one column a seed, then whether each of the `wanted` holds."""
    rows: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
        *((f"single scan within {d} m", lambda m, d=d: _percent(m.get("single_scan", {}).get(f"within_{d}_m"))) for d in (1, 3, 5, 10)),
        (
            "heading within 5° of those within 5 m",
            lambda m: _percent(m.get("single_scan", {}).get("heading_within_5_deg_of_those_within_5_m")),
        ),
        ("locked after", lambda m: f"{_number(m['lock']['first_lock_s'], 1)} s, {_number(m['lock']['first_lock_after_m'], 0)} m"),
        ("availability", lambda m: _percent(m["lock"]["availability"])),
        ("locked wrong [clouds]", lambda m: str(m["lock"]["locked_wrong_over_10_m"])),
        *(
            (f"position error while locked, {n} [m]", lambda m, n=n: _number(m["fused"]["position_m"][n], 2))
            for n in ("mean", "median", "p95", "max")
        ),
        ("heading error while locked, median [°]", lambda m: _number(m["fused"]["heading_deg"]["median"], 2)),
        ("offset from the truth, east and north [m]", lambda m: ", ".join(_number(m["map_offset"][n], 2) for n in ("east_m", "north_m"))),
        ("truth within 1, 2, 3 sigma", lambda m: ", ".join(_percent(m["coverage"][f"{k}_sigma"]["position"]) for k in (1, 2, 3))),
        ("cloud to answer, mean / p95 [ms]", lambda m: " / ".join(_number((m["latency_ms"] or {}).get(n), 0) for n in ("mean", "p95"))),
        ("peak memory [MB]", lambda m: _number(m.get("peak_memory_mb"), 0)),
    ]
    checks = [(name, lambda m, holds=holds: "yes" if holds(m) else "NO") for name, holds in wanted.items()]
    lines = ["| | " + " | ".join(f"seed {s}" for s in results) + " |", "|---|" + "---|" * len(results)]
    lines += [f"| {name} | " + " | ".join(value(m) for m in results.values()) + " |" for name, value in (*rows, *checks)]
    return "\n".join(lines)


def store(out: Path, results: Any, text: str) -> None:
    """Print the table and keep it beside the numbers, in a folder that is made if need be."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\n{out}: results.md, results.json")


def row_table(results: Mapping[str, Mapping[str, float]], columns: Mapping[str, str]) -> str:
    """Rows of numbers by name as a Markdown table; `columns` are the numbers to show, with their headings."""
    lines = ["| | " + " | ".join(columns.values()) + " |", "|---|" + "---|" * len(columns)]
    for name, row in results.items():
        values = [(f"{row[k]:.0f}" if isinstance(row[k], int) else f"{row[k]:.2f}") if k in row else "–" for k in columns]
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def localizer_config(given: Sequence[str]) -> LocalizerConfig:
    """The localizer's settings with some given as NAME=VALUE."""
    values = {name: json.loads(value) for name, value in (pair.split("=") for pair in given)}
    return from_dict(LocalizerConfig, nested(values))


def at_most(value: float | None, limit: float) -> bool:
    """True where the number is there and not above the limit."""
    return value is not None and value <= limit


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """mean, p50, p95 and max of numbers."""
    import numpy as np

    array = np.asarray(values, dtype=float)
    return {"mean": float(array.mean()), **{f"p{p}": float(np.percentile(array, p)) for p in (50, 95)}, "max": float(array.max())}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100.0 * share:.1f} %"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
