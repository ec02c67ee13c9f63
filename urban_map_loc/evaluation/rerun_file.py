# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""recording.rrd: records as a file of Rerun. The only file that knows the package rerun-sdk, which is not installed by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from urban_map_loc.errors import ConfigurationError, OutputError
from urban_map_loc.evaluation.cloud_picture import FREE_COLOUR, UNKNOWN_COLOUR, WALL_COLOUR
from urban_map_loc.evaluation.colours import rgb
from urban_map_loc.evaluation.recording import Recording
from urban_map_loc.evaluation.recording_shapes import (
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
    Solid,
    StateChange,
    Strips,
    TilePicture,
)
from urban_map_loc.geometry.pose2 import quaternion_of_yaw
from urban_map_loc.output import final_file

APPLICATION = "urban_map_loc"
DRIVE, STAMP = "drive", "stamp"  # time lines: since the first cloud, and the clouds' own stamps
CAR_M = (4.5, 1.8, 1.5)
AXES_M = 4.0
THIN_M, COVARIANCE_ABOVE_M = 0.02, 0.2  # of the covariance's ellipse
EYE_M = (-45.0, -60.0, 70.0)  # from what is looked at first
STATE_COLOURS = {"initializing": "#9a9a9a", "locked": "#2b7bba", "lost": "#c2185b"}
CURVE_COLOURS = {
    "error/position_m": "#e8650a", "error/longitudinal_m": "#63b3d1", "error/lateral_m": "#b9b37a", "error/sigma_m": "#9a9a9a",
    "heading/error_deg": "#e8650a", "heading/sigma_deg": "#9a9a9a", "latency/answer_ms": "#2b7bba",
}  # fmt: skip
TILE_CLASSES = (("unknown", UNKNOWN_COLOUR), ("free", FREE_COLOUR), ("wall", WALL_COLOUR))


def require_rerun() -> Any:
    """The package, found out before long work.

    Raises:
        ConfigurationError: rerun-sdk is not installed.
    """
    try:
        import rerun
    except ImportError:
        raise ConfigurationError(
            "--rerun needs the package rerun-sdk, which `make setup` leaves out (690 MB); "
            "install it with `pip install -c constraints.txt -e '.[rerun]'` in the repository's folder"
        ) from None
    return rerun


def write_recording(recording: Recording, title: str, path: Path) -> None:
    """Write all records of a recording; `rerun PATH` opens the file.

    Raises:
        ConfigurationError: rerun-sdk is not installed.
        OutputError: `path` cannot be written.
    """
    rr = require_rerun()
    rr.set_strict_mode(True)  # what cannot be logged is an error, not a warning
    with final_file(path) as temporary:
        stream = rr.RecordingStream(APPLICATION)
        stream.set_log_time_enabled(False)
        stream.set_log_tick_enabled(False)
        stream.save(temporary, default_blueprint=_blueprint(rr, recording.first_place))
        stream.send_recording_name(title)
        stream.log("map", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        classes = [rr.AnnotationInfo(id=k, label=name, color=rgb(colour)) for k, (name, colour) in enumerate(TILE_CLASSES)]
        stream.log("tile", rr.AnnotationContext(classes), static=True)
        states = {"values": list(STATE_COLOURS), "labels": list(STATE_COLOURS), "colors": [rgb(c) for c in STATE_COLOURS.values()]}
        stream.log("state", rr.StateConfiguration(**states), static=True)
        for curve, colour in CURVE_COLOURS.items():
            stream.log(curve, rr.SeriesLines(colors=rgb(colour), names=curve.split("/")[1]), static=True)
        for record in recording.records():
            _log(rr, stream, record, recording.start_s)
        stream.disconnect()
        _require_whole(temporary, path)


def _require_whole(temporary: Path, path: Path) -> None:
    """The package writes in a thread of its own, which keeps errors, such as of a full disk, to itself: look at what it has written."""
    from rerun.chunk import RrdReader

    try:
        with catch_warnings():
            simplefilter("ignore")  # it warns, too, of a missing end
            RrdReader(temporary).store()
    except Exception as error:  # it has no exceptions of its own
        raise OutputError(f"{path} was not written whole ({error}); free some space and try again") from error


def _log(rr: Any, stream: Any, record: Record, start_s: float) -> None:
    shown, stamps = record.shown, record.stamp_s
    if isinstance(shown, OverTime):
        times = [rr.TimeColumn(DRIVE, duration=stamps - start_s), rr.TimeColumn(STAMP, timestamp=stamps)]
        stream.send_columns(record.path, times, _columns(rr, shown))
        return
    for stamp in stamps:
        stream.set_time(DRIVE, duration=stamp - start_s)
        stream.set_time(STAMP, timestamp=stamp)
    stream.log(record.path, *_archetypes(rr, shown), static=not len(stamps))


def _archetypes(rr: Any, shown: Shown) -> list[Any]:
    match shown:
        case Solid():
            return [
                rr.Mesh3D(
                    vertex_positions=shown.vertices,
                    vertex_normals=shown.normals,
                    triangle_indices=shown.triangles,
                    albedo_factor=rgb(shown.colour),
                )
            ]
        case Strips():
            return [rr.LineStrips3D(shown.lines, colors=rgb(shown.colour), radii=shown.radius_m)]
        case Dots():
            colours = rgb(shown.colour) if isinstance(shown.colour, str) else shown.colour
            return [rr.Points3D(shown.points, colors=colours, radii=shown.radius_m)]
        case Arrows():
            return [rr.Arrows3D(origins=shown.origins, vectors=shown.vectors, colors=shown.colours, radii=shown.radius_m)]
        case Car():
            box = rr.Boxes3D(sizes=[CAR_M], centers=[(0.0, 0.0, 0.5 * CAR_M[2])], colors=rgb(shown.colour))
            return [box, rr.TransformAxes3D(AXES_M)]
        case TilePicture():
            return [rr.SegmentationImage(shown.classes)]
        case StateChange():
            return [rr.StateChange(state=shown.state)]
        case Line():
            return [rr.TextLog(shown.text, level=shown.level)]
        case Page():
            return [rr.TextDocument(shown.text, media_type=rr.MediaType.MARKDOWN)]
        case GeoLines():
            return [rr.GeoLineStrings(lat_lon=shown.lines, colors=rgb(shown.colour), radii=rr.Radius.ui_points(2.0))]
        case Gone():
            return [rr.Clear(recursive=True)]


def _columns(rr: Any, shown: OverTime) -> Any:
    match shown:
        case Poses():
            return rr.Transform3D.columns(translation=_level(shown.poses[:, :2]), quaternion=_quaternions(shown.poses[:, 2]))
        case Ellipses():
            n = len(shown.yaw)
            return rr.Ellipsoids3D.columns(
                centers=_level(shown.centres, COVARIANCE_ABOVE_M),
                half_sizes=_level(shown.half_axes, THIN_M),
                quaternions=_quaternions(shown.yaw),
                colors=[rgb(shown.colour)] * n,
                fill_mode=[rr.components.FillMode.TransparentFillMajorWireframe] * n,
            )
        case Place():
            n = len(shown.points)
            return rr.Points3D.columns(positions=shown.points, colors=[rgb(shown.colour)] * n, radii=[shown.radius_m] * n)
        case GeoPlace():
            n = len(shown.lat_lon)
            return rr.GeoPoints.columns(positions=shown.lat_lon, colors=[rgb(shown.colour)] * n, radii=[rr.Radius.ui_points(6.0)] * n)
        case Curve():
            return rr.Scalars.columns(scalars=shown.values)


def _level(points: FloatArray, height_m: float = 0.0) -> FloatArray:
    return np.column_stack([points, np.full(len(points), height_m)])


def _quaternions(yaw: FloatArray) -> FloatArray:
    return np.array([quaternion_of_yaw(float(y)) for y in yaw])


def _blueprint(rr: Any, place: FloatArray) -> Any:
    """The views, and an eye that looks from above at where the drive begins, and goes with the estimate once there is one."""
    import rerun.blueprint as rrb

    target = np.append(place, 0.0)
    eye = rrb.EyeControls3D(
        kind=rrb.Eye3DKind.Orbital,
        position=target + EYE_M,
        look_target=target,
        eye_up=(0.0, 0.0, 1.0),
        tracking_entity="map/base_link",
    )
    diagrams = [
        rrb.TimeSeriesView(origin=name, name=title)
        for name, title in (("error", "position error [m]"), ("heading", "heading error [°]"), ("latency", "latency [ms]"))
    ]
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(
                rrb.Tabs(
                    rrb.Spatial3DView(origin="map", name="map", eye_controls=eye),
                    rrb.MapView(origin="geo", name="streets (needs network)"),
                    rrb.TextDocumentView(origin="about", name="about"),
                    active_tab=0,
                ),
                rrb.StateTimelineView(origin="state", name="state"),
                rrb.TextLogView(origin="log", name="log"),
                row_shares=[6, 1, 2],
            ),
            rrb.Vertical(rrb.Spatial2DView(origin="tile", name="tile"), *diagrams, row_shares=[3, 2, 2, 2]),
            column_shares=[3, 1],
        ),
        rrb.BlueprintPanel(state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
        rrb.TimePanel(state="collapsed", timeline=DRIVE, play_state="playing"),
        auto_layout=False,
        auto_views=False,
    )
