# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A run as a recording for 3-D looking: what there is to see at which time, as plain records; `rerun_file.py` writes them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import RecordingConfig, TileConfig
from urban_map_loc.evaluation.area_picture import TRUTH, attribution_of
from urban_map_loc.evaluation.cloud_picture import WALL_COLOUR
from urban_map_loc.evaluation.colours import error_colours, error_scale_end_m, rgb
from urban_map_loc.evaluation.frames import tile_planes
from urban_map_loc.evaluation.lock import runs_of
from urban_map_loc.evaluation.moments import Moment
from urban_map_loc.evaluation.pose_errors import pose_errors
from urban_map_loc.evaluation.recording_clouds import DriveClouds
from urban_map_loc.evaluation.recording_map import map_records
from urban_map_loc.evaluation.recording_shapes import (
    ALWAYS,
    Arrows,
    Car,
    Curve,
    Dots,
    Ellipses,
    FloatArray,
    GeoLines,
    GeoPlace,
    Gone,
    Line,
    OverTime,
    Page,
    Place,
    Poses,
    Record,
    Shown,
    StateChange,
    Strips,
    TilePicture,
    on_the_plane,
)
from urban_map_loc.evaluation.report_data import thinned
from urban_map_loc.evaluation.run_files import Run
from urban_map_loc.tile.grid import TileGrid

IntArray = NDArray[np.intp]

ESTIMATE_COLOUR, SINGLE_COLOUR = "#e8650a", "#8e5bb0"
BEST_COLOUR, OTHER_COLOUR = "#ffd23f", "#b9a25a"  # hypotheses
HYPOTHESIS_M = 6.0  # length of their arrows
SIGMAS = 2.0  # of the ellipse, as in the report
ABOVE_M = {"truth": 0.3, "estimate": 0.4, "errors": 0.5, "hypotheses": 1.0, "single_scan": 0.8, "walls": 1.5}
# What is judged in the log; the rest is told by the state's changes.
LEVELS = {"wrong": "ERROR", "off": "WARN", "on": "INFO", "error": "INFO", "heading": "INFO", "latency": "INFO"}
ABOUT = """# {title}

`map`: east, north, up [m] about the area's datum. Heights are not estimated: everything that moves is put on the plane.

| path | shows |
|---|---|
| map/buildings, map/buildings_of_assumed_height, map/roads | the area file; the second are drawn {height:g} m high, as no height is known |
| map/truth, map/true_base_link | true trajectory and pose{truth} |
| map/estimate, map/errors | trajectory while locked, in one colour and by its error |
| map/base_link, map/covariance | the estimate (map to base_link) while locked, and its {sigmas:g} sigma ellipse |
| map/single_scan | the answer to each cloud alone, without history |
| map/hypotheses | places under consideration, the best one brighter |
| map/scan | clouds at the estimate, where there is none at the truth: building (kept), other, ground |
| map/tile_walls, tile | the walls that the tile shows, put as clouds are; the tile as MapNet sees it, the car driving up |
| error, heading, latency | the diagrams' numbers; sigma is the root of what the covariance states |
| state, log | states with reasons, and moments worth a look |

Clouds: {clouds}.

Map: {attribution}.
"""


class Recording:
    """All records of a run, one after the other: clouds are read on the way.

    Args:
        run: what was answered.
        truth: `(N, 3)` true poses at its stamps, NaN where unknown.
        area: the map.
        found: moments for the log.
        config: limits.
    """

    def __init__(self, run: Run, truth: FloatArray, area: AreaMap, found: list[Moment], config: RecordingConfig) -> None:
        self._run, self._truth, self._area, self._found, self._config = run, truth, area, found, config
        estimates = run.estimates
        self._stamps, self._poses, self._offered = estimates.stamp_s, estimates.poses, estimates.offered
        self._errors = pose_errors(self._poses, truth)
        # Where clouds are put: at the estimate, else at the truth.
        self._put = np.where(self._offered[:, None], self._poses, truth)
        self.clouds = DriveClouds(run, self._put, config)
        self._answers = thinned(len(truth), config.answers)

    @property
    def start_s(self) -> float:
        """The first cloud's stamp [s]."""
        return float(self._stamps[0])

    @property
    def first_place(self) -> FloatArray:
        """East, north [m] `(2,)` of the first known pose, of the datum where there is none."""
        known = self._put[_known(self._put)]
        return np.asarray(known[0, :2] if len(known) else np.zeros(2))

    def records(self) -> Iterator[Record]:
        """The map, all that was answered, the clouds, and a page about it all."""
        drive = np.concatenate([self._truth[:, :2], self._poses[:, :2]])
        yield from map_records(self._area, drive[_known(drive)], self._config)
        yield from self._trajectories()
        yield from self._moving()
        yield from self._curves()
        yield from self._log()
        yield from self._thoughts()
        yield from self.clouds.records()
        known = _known(self._put)
        for begin in (end for _, end in runs_of(known) if end < len(known)):
            yield self._at(begin, "map/scan", Gone())
            yield self._at(begin, "map/tile_walls", Gone())
        if self.clouds.missing:
            yield self._at(0, "log", Line(self.clouds.summary, "WARN"))
        yield Record("about", Page(self._about()), ALWAYS)

    def _at(self, cloud: int | np.intp, path: str, shown: Shown | OverTime) -> Record:
        return Record(path, shown, self._stamps[cloud : cloud + 1])

    def _trajectories(self) -> Iterator[Record]:
        """The whole drive, always there."""
        for name, poses, colour, radius_m in (("truth", self._truth, TRUTH, 0.35), ("estimate", self._poses, ESTIMATE_COLOUR, 0.2)):
            thin = poses[self._answers]
            pieces = [thin[b:e, :2] for b, e in runs_of(_known(thin)) if e - b > 1]
            if pieces:
                yield Record(f"map/{name}", Strips([on_the_plane(p, ABOVE_M[name]) for p in pieces], colour, radius_m), ALWAYS)
                yield Record(f"geo/{name}", GeoLines([self._area.plane.to_geodetic(p) for p in pieces], colour), ALWAYS)
        errors = self._errors["position"]
        locked = self._answers[self._offered[self._answers]]
        colours = error_colours(errors[locked], error_scale_end_m(errors))
        yield Record("map/errors", Dots(on_the_plane(self._poses[locked, :2], ABOVE_M["errors"]), colours, 0.3), ALWAYS)

    def _moving(self) -> Iterator[Record]:
        """Truth and estimate as moving frames, the covariance, and single answers."""
        single = self._run.single_scan
        for name, poses, colour in (("true_base_link", self._truth, TRUTH), ("base_link", self._poses, ESTIMATE_COLOUR)):
            known = _known(poses)
            rows = self._answers[known[self._answers]]
            if not len(rows):
                continue
            yield Record(f"map/{name}", Poses(poses[rows]), self._stamps[rows])
            for begin, end in runs_of(known):
                yield self._at(begin, f"map/{name}", Car(colour))
                if end < len(known):
                    yield self._at(end, f"map/{name}", Gone())
        rows = self._answers[self._offered[self._answers]]
        if len(rows):
            yield Record("map/covariance", self._ellipses(rows), self._stamps[rows])
            lat_lon = self._area.plane.to_geodetic(self._poses[rows, :2])
            yield Record("geo/base_link", GeoPlace(lat_lon, ESTIMATE_COLOUR), self._stamps[rows])
            for _, end in runs_of(self._offered):
                if end < len(self._offered):
                    yield self._at(end, "map/covariance", Gone())
                    yield self._at(end, "geo/base_link", Gone())
        rows = self._answers[single.offered[self._answers]] if single else rows[:0]
        if single and len(rows):
            points = on_the_plane(single.poses[rows, :2], ABOVE_M["single_scan"]).astype(np.float64)
            yield Record("map/single_scan", Place(points, SINGLE_COLOUR, 0.5), self._stamps[rows])

    def _ellipses(self, rows: IntArray) -> Ellipses:
        ee, en, nn = self._run.estimates.covariance[rows, :3].T
        variances, axes = np.linalg.eigh(np.stack([ee, en, en, nn], axis=-1).reshape(-1, 2, 2))
        half = SIGMAS * np.sqrt(np.maximum(variances, 0.0))
        # The longer axis is the last one.
        return Ellipses(self._poses[rows, :2], half[:, ::-1], np.arctan2(axes[:, 1, 1], axes[:, 0, 1]), ESTIMATE_COLOUR)

    def _curves(self) -> Iterator[Record]:
        errors = self._errors
        covariance = self._run.estimates.covariance
        curves = {f"error/{name}_m": errors[name] for name in ("position", "longitudinal", "lateral")}
        curves["error/sigma_m"] = np.sqrt(covariance[:, 0] + covariance[:, 2])
        curves["heading/error_deg"] = np.degrees(errors["heading"])
        curves["heading/sigma_deg"] = np.degrees(np.sqrt(covariance[:, 3]))
        curves["latency/answer_ms"] = self._run.estimates.latency_ms
        for path, values in curves.items():
            thin = values[self._answers]
            if np.isfinite(thin).any():  # NaN leaves a gap in the line
                yield Record(path, Curve(thin), self._stamps[self._answers])

    def _log(self) -> Iterator[Record]:
        states, frames = self._run.estimates.state, self._run.frames
        for k in np.flatnonzero(np.append(True, states[1:] != states[:-1])):
            state = str(states[k])
            reason = f": {frames.frames[k].reason}" if frames and frames.frames[k].reason else ""
            yield self._at(k, "state", StateChange(state))
            yield self._at(k, "log", Line(f"{state}{reason}", "WARN" if state == "lost" else "INFO"))
        for moment in self._found:
            if moment.kind in LEVELS:
                yield self._at(moment.cloud, "log", Line(moment.text, LEVELS[moment.kind]))

    def _thoughts(self) -> Iterator[Record]:
        """Hypotheses, each set once, and tiles with the walls in them."""
        if self._run.frames is None:
            return
        frames = self._run.frames.frames
        judged = np.unique([frame.judged for frame in frames])
        for k in judged[thinned(len(judged), self._config.answers)]:
            poses = frames[k].hypotheses[:, :3]
            vectors = HYPOTHESIS_M * np.column_stack([np.cos(poses[:, 2]), np.sin(poses[:, 2])])
            colours = np.array([rgb(OTHER_COLOUR if rank else BEST_COLOUR) for rank in range(len(poses))], dtype=np.uint8).reshape(-1, 3)
            origins = on_the_plane(poses[:, :2], ABOVE_M["hypotheses"])
            yield self._at(k, "map/hypotheses", Arrows(origins, on_the_plane(vectors), colours, 0.2))
        there = np.flatnonzero([frame.tile is not None for frame in frames])
        there = there[thinned(len(there), self._config.tiles)] if self._config.tiles else there[:0]
        for k in there:
            bits = frames[k].tile
            assert bits is not None
            hits, free = tile_planes(bits)
            yield self._at(k, "tile", TilePicture(np.where(hits == 1, np.uint8(2), free)))
            if np.isfinite(self._put[k]).all():
                walls = TileGrid(TileConfig(size_px=len(hits), resolution_m=self._run.frames.tile_m)).centres(*np.nonzero(hits))
                yield self._at(k, "map/tile_walls", Dots(on_the_plane(walls, ABOVE_M["walls"]), WALL_COLOUR, 0.15))
        placed = there[_known(self._put[there])]
        if len(placed):
            yield Record("map/tile_walls", Poses(self._put[placed]), self._stamps[placed])

    def _about(self) -> str:
        return ABOUT.format(
            title=self._run.title,
            height=self._config.assumed_height_m,
            truth="" if np.isfinite(self._truth).any() else " (there is no truth)",
            sigmas=SIGMAS,
            clouds=self.clouds.summary,
            attribution=attribution_of(self._area),
        )


def _known(rows: FloatArray) -> NDArray[np.bool_]:
    """`(N,)` which rows have no NaN."""
    return np.asarray(np.isfinite(rows).all(axis=1))
