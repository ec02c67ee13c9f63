"""A RUN folder against its truth: metrics.json, map.png and report.html."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.errors import AreaError, BagError
from urban_map_loc.evaluation.map_picture import draw_map
from urban_map_loc.evaluation.metrics import evaluate_arrays
from urban_map_loc.evaluation.report import write_report
from urban_map_loc.evaluation.run_files import Run, read_run
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.output import final_file

METRICS_FILE, PICTURE_FILE, REPORT_FILE = "metrics.json", "map.png", "report.html"
TRUTH_FILE = "truth.csv"


def evaluate(path: Path, truth_file: Path | None = None) -> dict[str, Any]:
    """Evaluate a RUN folder, write the three files into it and return the metrics.

    Args:
        path: the RUN folder.
        truth_file: truth to compare with; by default the `truth.csv` of the run's bag.

    Raises:
        BagError: the run or the truth is missing or damaged, or the truth is of another time.
        AreaError: the run's area file is missing, or has changed since.
        OutputError: the files cannot be written.
    """
    run = read_run(path)
    area = _area_of(run)
    truth_file = truth_file or _truth_of(run)
    truth = Trajectory.read_csv(truth_file).at(run.estimates.stamp_s, area.plane)
    if not np.isfinite(truth).all(axis=1).any():
        raise BagError(f"{truth_file} covers none of the run's clouds; give the truth of that drive with --truth")
    metrics = evaluate_arrays(run.estimates, run.single_scan, truth)
    metrics |= {
        "truth": str(truth_file),
        "latency_by_stage_ms": run.info.get("latency_ms", {}),
        "peak_memory_mb": run.info.get("peak_memory_mb"),
    }
    with final_file(path / METRICS_FILE) as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draw_map(area, run.estimates, truth, path / PICTURE_FILE, title=_title(run))
    write_report(run, metrics, truth, path / PICTURE_FILE, path / REPORT_FILE)
    return metrics


def _area_of(run: Run) -> AreaMap:
    name = run.info.get("files", {}).get("area")
    if not name:
        raise AreaError(f"{run.path / 'run.json'} names no area file; run `urban_map_loc localize` again")
    area = read_area(Path(name))
    if area.content_hash != run.info.get("area_hash"):
        raise AreaError(
            f"{name} has hash {area.content_hash[:12]}, the run was made with {str(run.info.get('area_hash'))[:12]}; "
            "run `urban_map_loc localize` again with this area"
        )
    return area


def _truth_of(run: Run) -> Path:
    bag = run.info.get("files", {}).get("bag")
    if bag is None or not (Path(bag) / TRUTH_FILE).is_file():
        raise BagError(f"{bag or run.path} has no {TRUTH_FILE}; give the truth with --truth TRUTH.csv")
    return Path(bag) / TRUTH_FILE


def _title(run: Run) -> str:
    files = run.info.get("files", {})
    return f"{Path(files['bag']).name} in {Path(files['area']).name}" if "bag" in files else run.path.resolve().name
