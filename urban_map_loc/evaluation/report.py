"""report.html: one file that needs no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.evaluation.metrics import WRONG_M, pose_errors
from urban_map_loc.evaluation.run_files import Run
from urban_map_loc.evaluation.summary import summary_rows
from urban_map_loc.localization.result import State
from urban_map_loc.output import final_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

STATE_COLOURS = {State.INITIALIZING.value: "#c9c4bb", State.LOCKED.value: "#5aa469", State.LOST.value: "#d1495b"}
INK, LINE, BAND = "#2b2b2b", "#22577a", "#9fc3d6"

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #2b2b2b; background: #f7f5f1; margin: 0; }}
main {{ max-width: 62rem; margin: 0 auto; padding: 1.5rem; }}
h1 {{ font-size: 1.5rem; margin: 0 0 .2rem; }} h2 {{ font-size: 1.1rem; margin: 2rem 0 .6rem; }}
section {{ background: #fff; border: 1px solid #e3ddd2; border-radius: 8px; padding: 1rem; overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #eee9df; vertical-align: top; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
th.group {{ padding-top: .8rem; color: #22577a; }}
img, svg {{ max-width: 100%; height: auto; display: block; margin: 0 auto; }}
.quiet {{ color: #6d675e; }} pre {{ margin: 0; font-size: .8rem; overflow-x: auto; }}
</style></head><body><main>
<h1>{title}</h1><p class="quiet">{subtitle}</p>
{sections}
</main></body></html>
"""


def write_report(run: Run, metrics: Mapping[str, Any], truth: FloatArray, picture: Path, path: Path) -> None:
    """Write the report of a run with its metrics, the true poses `(N, 3)` at its stamps (NaN: unknown) and the map picture.

    Raises:
        OutputError: `path` cannot be written.
    """
    image = base64.b64encode(picture.read_bytes()).decode("ascii")
    info = run.info
    sections = [
        _section("Map", f'<img alt="map with truth and estimates" src="data:image/png;base64,{image}">'),
        _section("Result", _result_table(metrics)),
        _section("Error over time", _plot(run, truth)),
        _section("States", _events(run)),
        _section(
            "Latency", _latency_table(info.get("latency_ms", {})) + f"<p>Peak memory {escape(str(info.get('peak_memory_mb', '?')))} MB.</p>"
        ),
        _section("Skipped clouds", _rows(("reason", "clouds"), info.get("skipped", {}).items()) if info.get("skipped") else "<p>none</p>"),
        _section("Inputs and versions", _rows(("", ""), [*info.get("files", {}).items(), *info.get("versions", {}).items()])),
        _section("Configuration", _rows(("setting", "value"), _flat(info.get("configuration", {})))),
    ]
    files = info.get("files", {})
    title = f"Run {run.path.resolve().name}"
    subtitle = " · ".join(f"{role} {Path(name).name}" for role, name in files.items()) + f" · area {str(info.get('area_hash', '?'))[:12]}"
    with final_file(path) as temporary:
        temporary.write_text(PAGE.format(title=escape(title), subtitle=escape(subtitle), sections="\n".join(sections)), encoding="utf-8")


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n<section>{content}</section>"


def _rows(head: Sequence[str], rows: Any) -> str:
    top = "<tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + "</tr>" if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row) + "</tr>" for row in rows)
    return f"<table>{top}{body}</table>"


def _result_table(metrics: Mapping[str, Any]) -> str:
    lines = []
    for group, rows in summary_rows(metrics).items():
        lines.append(f'<tr><th class="group" colspan="2">{escape(group)}</th></tr>')
        lines += [f'<tr><td>{escape(name)}</td><td class="number">{escape(value)}</td></tr>' for name, value in rows]
    return f"<table>{''.join(lines)}</table>"


def _latency_table(latency: Mapping[str, Mapping[str, float]]) -> str:
    names = ("mean", "p50", "p95", "max")
    head = (
        "<tr><th>stage</th>"
        + "".join(f'<td class="number"><b>{n} [ms]</b></td>' for n in (*names,))
        + '<td class="number"><b>clouds</b></td></tr>'
    )
    lines = []
    for stage, row in latency.items():
        cells = "".join(f'<td class="number">{row[n]:.1f}</td>' for n in names)
        lines.append(f'<tr><td>{escape(stage)}</td>{cells}<td class="number">{row.get("count", "")}</td></tr>')
    return f"<table>{head}{''.join(lines)}</table>"


def _events(run: Run) -> str:
    start = run.estimates.stamp_s[0]
    rows = [(f"{e['stamp_s'] - start:.1f}", e["state"], e["reason"]) for e in run.info.get("events", [])]
    return _rows(("time [s]", "state", "reason"), rows)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for name, value in values.items():
        out += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", str(value))]
    return out


def _plot(run: Run, truth: FloatArray) -> str:
    """Position error, heading error and state over time as inline SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    estimates = run.estimates
    time = estimates.stamp_s - estimates.stamp_s[0]
    error = pose_errors(estimates.poses, truth)
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "urban_map_loc"}):
        figure = Figure(figsize=(10.0, 5.6))
        FigureCanvasSVG(figure)
        position, heading, state = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [4, 3, 0.6], "hspace": 0.12})
        ee, _, nn, yaw = estimates.covariance.T
        _curve(position, time, error["position"], 2.0 * np.sqrt(ee + nn), "position error [m]")
        _curve(heading, time, np.abs(np.degrees(error["heading"])), 2.0 * np.degrees(np.sqrt(yaw)), "heading error [deg]")
        if np.nanmax(np.append(error["position"], 0.0)) > WRONG_M:
            position.axhline(WRONG_M, color=STATE_COLOURS["lost"], linewidth=0.8, linestyle="--", label=f"{WRONG_M:g} m: locked wrong")
        position.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, fontsize=8, frameon=False)
        _timeline(state, time, estimates.state)
        state.set_xlabel("time since the first cloud [s]", color=INK)
        text = StringIO()
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)
    return svg[svg.index("<svg") :]


def _curve(axes: Axes, time: FloatArray, error: FloatArray, stated: FloatArray, label: str) -> None:
    axes.fill_between(time, 0.0, stated, color=BAND, alpha=0.5, linewidth=0.0, label="stated, 2 sigma")
    axes.plot(time, error, color=LINE, linewidth=1.1, label="error")
    axes.set_ylabel(label, color=INK)
    axes.set_ylim(bottom=0.0)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _timeline(axes: Axes, time: FloatArray, states: NDArray[np.str_]) -> None:
    from matplotlib.patches import Patch

    edges = np.append(time, time[-1] + (np.median(np.diff(time)) if len(time) > 1 else 1.0))
    starts = np.flatnonzero(np.append(True, states[1:] != states[:-1]))
    for begin, end in zip(starts, np.append(starts[1:], len(states)), strict=True):
        axes.axvspan(edges[begin], edges[end], color=STATE_COLOURS[states[begin]], linewidth=0.0)
    axes.set_yticks([])
    axes.set_ylabel("state", color=INK, rotation=0, ha="right", va="center")
    patches = [Patch(color=colour, label=name) for name, colour in STATE_COLOURS.items()]
    axes.legend(handles=patches, loc="upper right", bbox_to_anchor=(1.0, -0.9), ncols=3, fontsize=8, frameon=False)
