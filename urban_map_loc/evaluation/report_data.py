# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The numbers inside report.html: columns of whole steps, as differences, compressed, in base64. report_page/data.js reads them."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import ReportConfig
from urban_map_loc.evaluation.colours import ERROR_COLOURS, error_scale_end_m
from urban_map_loc.evaluation.frames import Frame, Frames
from urban_map_loc.evaluation.moments import Moment
from urban_map_loc.evaluation.pose_errors import pose_errors
from urban_map_loc.evaluation.report_ground import ground
from urban_map_loc.evaluation.run_files import Estimates, Run
from urban_map_loc.localization.result import State

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Column = dict[str, Any]

UNKNOWN = np.iinfo(np.int32).min
MARGIN_M = 40.0
COMPRESSION = 6  # 9 takes ten times as long for tiles, and saves 8 % of them
STATES = [state.value for state in (State.INITIALIZING, State.LOCKED, State.LOST)]
# Steps of what is not otherwise said: finer than anything that is shown.
MILLI, MICRO, WHOLE = 1e-3, 1e-6, 1.0


def report_data(run: Run, truth: FloatArray, area: AreaMap, found: list[Moment], config: ReportConfig) -> tuple[str, IntArray]:
    """JSON for the page, safe inside a script element, and the indices of the clouds that are in it, all of them unless there are too many.

    Args:
        run: what was answered.
        truth: `(N, 3)` true poses, NaN where unknown.
        area: the map.
        found: moments to offer.
        config: limits.
    """
    clouds = thinned(len(truth), config.clouds)
    errors = pose_errors(run.estimates.poses, truth)
    places = np.concatenate([truth[:, :2], run.estimates.poses[:, :2]])
    places = places[np.isfinite(places).all(axis=1)]
    buildings, roads = ground(area, places, config)
    frames = run.frames.frames if run.frames else [Frame("")] * len(truth)
    reasons = list(dict.fromkeys(frames[k].reason for k in clouds))
    sets = _hypothesis_sets([frames[k] for k in clouds])
    data = {
        "clouds": {
            **_cloud_columns(run, truth, errors, clouds),
            "reason": packed(np.array([{r: i for i, r in enumerate(reasons)}[frames[k].reason] for k in clouds]), WHOLE),
            "skipped": packed(np.array([frames[k].skipped for k in clouds]), WHOLE),
            "hypotheses": packed(sets.pop("of_cloud"), WHOLE),
        },
        "reasons": reasons,
        "hypotheses": {
            "begin": packed(sets["begin"], WHOLE),
            "judged": packed(np.maximum(0, np.searchsorted(clouds, sets["judged"], "right") - 1), WHOLE),
            **{name: packed(sets[name], MILLI) for name in ("east", "north", "yaw", "score")},
        },
        "tiles": _tiles(run.frames, clouds, config.tiles) if run.frames else None,
        "buildings": {name: packed(values, WHOLE if name == "corners" else 0.1) for name, values in buildings.items()},
        "roads": {name: packed(values, WHOLE if name == "corners" else 0.1) for name, values in roads.items()},
        "frame": _frame(places, area),
        "scale": {"colours": ERROR_COLOURS, "end_m": error_scale_end_m(errors["position"])},
        "moments": [asdict(m) | {"cloud": max(0, int(np.searchsorted(clouds, m.cloud, "right")) - 1)} for m in found],
        "first": next((max(0, int(np.searchsorted(clouds, m.cloud, "right")) - 1) for m in found if m.kind == "lock"), 0),
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"), clouds


def packed(values: NDArray[Any], step: float) -> Column:
    """A column `(N,)` in whole steps, NaN allowed: differences of 32 bits, which wrap, compressed."""
    values = np.asarray(values, dtype=np.float64) / step
    low, high = UNKNOWN + 1, np.iinfo(np.int32).max
    whole = np.where(np.isfinite(values), np.clip(np.rint(np.nan_to_num(values)), low, high), UNKNOWN).astype(np.int64)
    differences = np.diff(whole, prepend=0).astype(np.uint32).astype("<u4")  # modulo 2^32
    return {"step": step, "data": _base64(differences.tobytes())}


def _base64(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, COMPRESSION)).decode("ascii")


def thinned(count: int, limit: int) -> IntArray:
    """Numbers of at most `limit` of `count` things, at even steps, the first among them."""
    return np.arange(0, count, max(1, -(-count // limit)))


def _cloud_columns(run: Run, truth: FloatArray, errors: dict[str, FloatArray], clouds: IntArray) -> dict[str, Column]:
    estimates = run.estimates
    single = run.single_scan or _no_answers(estimates)
    columns: dict[str, tuple[NDArray[Any], float]] = {
        "number": (np.arange(len(truth)), WHOLE),
        "time": (estimates.stamp_s - estimates.stamp_s[0], MILLI),
        "state": (np.array([STATES.index(state) for state in estimates.state]), WHOLE),
        "latency": (estimates.latency_ms, 0.1),
        "sigma_deg": (np.degrees(np.sqrt(estimates.covariance[:, 3])), MILLI),
        "heading": (np.degrees(errors["heading"]), MILLI),
        "single_position": (pose_errors(single.poses, truth)["position"], MILLI),
    }
    for name, poses in (("truth", truth), ("estimate", estimates.poses), ("single", single.poses)):
        columns |= {f"{name}_{axis}": (poses[:, k], MILLI) for k, axis in enumerate(("east", "north", "yaw"))}
    columns |= {name: (errors[name], MILLI) for name in ("position", "longitudinal", "lateral")}
    columns |= {name: (estimates.covariance[:, k], MICRO * 100) for k, name in enumerate(("cov_ee", "cov_en", "cov_nn"))}
    return {name: packed(values[clouds], step) for name, (values, step) in columns.items()}


def _no_answers(like: Estimates) -> Estimates:
    return Estimates(like.stamp_s, like.state, np.full_like(like.poses, np.nan), np.full_like(like.covariance, np.nan), like.latency_ms)


def _hypothesis_sets(frames: list[Frame]) -> dict[str, NDArray[Any]]:
    """Each set of hypotheses once: where it begins in the columns, at which cloud it was judged; and which set each cloud has."""
    of_cloud, judged, sets = [], [], []
    last = None
    for frame in frames:
        if frame.hypotheses is not last:
            last = frame.hypotheses
            sets.append(last)
            judged.append(frame.judged)
        of_cloud.append(len(sets) - 1)
    rows = np.concatenate(sets)
    begin = np.concatenate([[0], np.cumsum([len(s) for s in sets])])
    named = {name: rows[:, k] for k, name in enumerate(("east", "north", "yaw", "score"))}
    return {"of_cloud": np.array(of_cloud), "begin": begin, "judged": np.array(judged), **named}


def _tiles(frames: Frames, clouds: IntArray, limit: int) -> dict[str, Any] | None:
    """All tiles behind each other as bits, and the cloud of each; None where there is none."""
    there = [i for i, k in enumerate(clouds) if frames.frames[k].tile is not None]
    there = [there[i] for i in thinned(len(there), limit)]
    tiles = [tile for i in there if (tile := frames.frames[clouds[i]].tile) is not None]
    if not tiles or len({len(tile) for tile in tiles}) > 1:
        return None
    size = isqrt(len(tiles[0]) * 8 // 2)
    bits = b"".join(tile.tobytes() for tile in tiles)
    return {"size": size, "pixel_m": frames.tile_m, "of": packed(np.array(there), WHOLE), "bits": _base64(bits)}


def _frame(places: FloatArray, area: AreaMap) -> list[float]:
    """West, south, east, north [m] of what the map shows at first: the drive, or the area where nobody knows of any."""
    if not len(places):
        return [round(v, 1) for v in area.bounds]
    low, high = places.min(axis=0) - MARGIN_M, places.max(axis=0) + MARGIN_M
    return [round(float(v), 1) for v in (*low, *high)]
