# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A RUN folder against its truth: metrics.json, map.png, report.html, and the truth for evo."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.atlas import Atlas, is_atlas, read_atlas
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.regions import joined
from urban_map_loc.config import RecordingConfig
from urban_map_loc.errors import AreaError, BagError
from urban_map_loc.evaluation.extent import roads_rms_spread
from urban_map_loc.evaluation.map_picture import draw_map
from urban_map_loc.evaluation.metrics import evaluate_arrays
from urban_map_loc.evaluation.moments import moments
from urban_map_loc.evaluation.report import write_report
from urban_map_loc.evaluation.run_files import Run, read_run, tum_line
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.output import final_file

log = logging.getLogger(__name__)

METRICS_FILE, PICTURE_FILE, REPORT_FILE, TRUTH_TUM_FILE = "metrics.json", "map.png", "report.html", "truth.tum"
RECORDING_FILE = "recording.rrd"
TRUTH_FILE = "truth.csv"


def evaluate(
    path: Path, truth_file: Path | None = None, *, without_truth: bool = False, recording: RecordingConfig | None = None
) -> dict[str, Any]:
    """Evaluate a RUN folder, write the files into it and return the metrics.

    Args:
        path: the RUN folder.
        truth_file: truth to compare with; by default the `truth.csv` of the run's bag.
        without_truth: look for no truth; what needs it stays empty.
        recording: write recording.rrd too, within these limits.

    Raises:
        BagError: the run or the truth is missing or damaged, or the truth is of another time.
        AreaError: the run's area file is missing, or has changed since.
        ConfigurationError: a recording is asked for, and rerun-sdk is not installed.
        OutputError: the files cannot be written.
    """
    if recording:
        from urban_map_loc.evaluation.rerun_file import require_rerun  # with the bag's reader and the extraction

        require_rerun()
    run = read_run(path)
    mapped = _mapped(run)
    stamps = run.estimates.stamp_s
    if without_truth:
        truth_file, truth = None, np.full((len(stamps), 3), np.nan)
    else:
        truth_file = truth_file or _truth_of(run)
        truth = Trajectory.read_csv(truth_file).at(stamps, mapped.plane)
        if not np.isfinite(truth).all(axis=1).any():
            raise BagError(f"{truth_file} covers none of the run's clouds; give the truth of that drive with --truth")
    area = _area_of(mapped, np.concatenate([run.estimates.poses, truth]))
    metrics = evaluate_arrays(run.estimates, run.single_scan, truth, area.bounds, roads_rms_spread(area.roads))
    metrics |= {
        "truth": str(truth_file) if truth_file else None,
        "latency_by_stage_ms": run.info.get("latency_ms", {}),
        "peak_memory_mb": run.info.get("peak_memory_mb"),
    }
    with final_file(path / METRICS_FILE) as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _write_truth_tum(path / TRUTH_TUM_FILE, stamps, truth)
    draw_map(area, run.estimates, truth, path / PICTURE_FILE, title=_caption(run.title, metrics))
    write_report(run, metrics, truth, area, path / REPORT_FILE)
    if recording:
        _record(run, truth, area, path / RECORDING_FILE, recording)
    return metrics


def _record(run: Run, truth: NDArray[np.float64], area: AreaMap, path: Path, config: RecordingConfig) -> None:
    from urban_map_loc.evaluation.recording import Recording
    from urban_map_loc.evaluation.rerun_file import write_recording

    recording = Recording(run, truth, area, moments(run, truth, area.bounds), config)
    write_recording(recording, run.title, path)
    if recording.clouds.missing:
        log.warning("%s: %s", path, recording.clouds.summary)


def _write_truth_tum(path: Path, stamp_s: NDArray[np.float64], truth: NDArray[np.float64]) -> None:
    """The known true poses at the clouds' stamps, in the frame of estimates.tum: `map`."""
    with final_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for stamp, pose in zip(stamp_s, truth, strict=True):
            if np.isfinite(pose).all():
                file.write(tum_line(stamp, pose))


def _mapped(run: Run) -> AreaMap | Atlas:
    name = run.info.get("files", {}).get("area")
    if not name:
        raise AreaError(f"{run.path / 'run.json'} names no area file; run `urban_map_loc localize` again")
    found: AreaMap | Atlas = read_atlas(Path(name)) if is_atlas(Path(name)) else read_area(Path(name))
    if found.content_hash != run.info.get("area_hash"):
        raise AreaError(
            f"{name} has hash {found.content_hash[:12]}, the run was made with {str(run.info.get('area_hash'))[:12]}; "
            "run `urban_map_loc localize` again with this area"
        )
    return found


def _area_of(mapped: AreaMap | Atlas, poses: NDArray[np.float64]) -> AreaMap:
    """The area; of an atlas the regions in which some of poses `(N, 3)` lie, NaN where there is none."""
    if isinstance(mapped, AreaMap):
        return mapped
    known = poses[np.isfinite(poses).all(axis=1), :2]
    return joined(mapped, np.unique(mapped.owner(known)).tolist() if len(known) else range(len(mapped.regions)))


def _truth_of(run: Run) -> Path:
    bag = run.info.get("files", {}).get("bag")
    if bag is None or not (Path(bag) / TRUTH_FILE).is_file():
        raise BagError(
            f"{bag or run.path} has no {TRUTH_FILE}; give the truth with --truth TRUTH.csv, or see the estimates alone with --without-truth"
        )
    return Path(bag) / TRUTH_FILE


def _caption(title: str, metrics: Mapping[str, Any]) -> str:
    position = metrics["fused"]["position_m"]
    if position["median"] is None:
        return title
    return f"{title}: position error while locked {position['median']:.2f} m (median), {position['p95']:.2f} m (95 %)"
