# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The tables of report.html, which are there without JavaScript too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.evaluation.pose_errors import WRONG_M
from urban_map_loc.evaluation.run_files import LATENCIES, Run
from urban_map_loc.evaluation.summary import NOTHING, percent, summary_rows, with_unit

PART_HEAD = (
    "part", "from [s]", "length [m]", "locked", "mean [m]", "95 % [m]", "max [m]", "along [m]", "across [m]", "heading [°]", "wrong",
    "alone, 5 m",
)  # fmt: skip


def figures(metrics: Mapping[str, Any]) -> str:
    """The few numbers at the top."""
    fused, lock, latency = metrics["fused"], metrics["lock"], metrics.get("latency_ms")
    position = fused["position_m"]
    wrong = lock["locked_wrong_over_10_m"]
    cards = [
        (with_unit(position["median"], "m"), "median position error while locked", False),
        (with_unit(position["p95"], "m"), "95 % of the errors are below", False),
        (NOTHING if fused["heading_deg"]["median"] is None else f"{fused['heading_deg']['median']:.2f}°", "median heading error", False),
        (with_unit(lock["first_lock_s"], "s", 1), f"to the first lock, {with_unit(lock['first_lock_after_m'], 'm', 0)}", False),
        (percent(lock["availability"]), "of the clouds locked", False),
        (str(wrong) if metrics["clouds_with_truth"] else NOTHING, f"clouds locked wrong, over {WRONG_M:g} m", wrong > 0),
    ]
    if latency:
        cards.append((f"{latency['p50']:.0f} ms", f"cloud to answer, median; 95 %: {latency['p95']:.0f} ms", False))
    return "".join(_figure(*card) for card in cards)


def _figure(value: str, name: str, bad: bool) -> str:
    kind = "figure bad" if bad else "figure"
    return f'<div class="{kind}"><b>{escape(value)}</b><span>{escape(name)}</span></div>'


def tables(run: Run, metrics: Mapping[str, Any], clouds: NDArray[np.intp]) -> str:
    """All sections with tables; `clouds` are the indices of those that can be shown."""
    info = run.info
    inputs = [*info.get("files", {}).items(), ("truth", metrics.get("truth") or "none"), *info.get("versions", {}).items()]
    noted = [(name, str(info[name])) for name in ("clouds", "start_s", "extrinsic", "gnss", "peak_memory_mb") if name in info]
    parts = [
        _section("Result", _result(metrics), name="result"),
        _section("Part by part", _parts(run, metrics, clouds)) if metrics["stretches"] else "",
        _section("Latency by stage", _latency(info.get("latency_ms", {}))),
        _section("States", _states(run, clouds)),
        _section("Skipped clouds", table(("reason", "clouds"), info.get("skipped", {}).items()) if info.get("skipped") else "<p>none</p>"),
        _section("Inputs and versions", table((), [*inputs, *noted])),
        _section("Configuration", f"<details><summary>all settings</summary>{_configuration(info)}</details>"),
    ]
    return "\n".join(part for part in parts if part)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], numbers: int = 0) -> str:
    """A table of text; the last `numbers` columns are numbers."""

    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(_cell(tag, escape(str(v)), number=k >= len(row) - numbers) for k, v in enumerate(row))

    top = f"<thead><tr>{cells('th', head)}</tr></thead>" if head else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="table"><table>{top}<tbody>{body}</tbody></table></div>'


def _cell(tag: str, content: str, *, number: bool) -> str:
    kind = ' class="number"' if number else ""
    return f"<{tag}{kind}>{content}</{tag}>"


def _section(title: str, content: str, name: str = "") -> str:
    anchor = f' id="{name}"' if name else ""
    return f"<section{anchor}><h2>{escape(title)}</h2>\n{content}</section>"


def _result(metrics: Mapping[str, Any]) -> str:
    counts = f"{metrics['clouds']} clouds, {metrics['clouds_with_truth']} with truth, {metrics['clouds_on_the_map']} of them on the map."
    lines = []
    for group, rows in summary_rows(metrics).items():
        lines.append(f'<tr><th class="group" colspan="2">{escape(group)}</th></tr>')
        lines += [f'<tr><td>{escape(name)}</td><td class="number">{escape(value)}</td></tr>' for name, value in rows]
    return f'<p class="quiet">{counts}</p><div class="table"><table>{"".join(lines)}</table></div>'


def _parts(run: Run, metrics: Mapping[str, Any], clouds: NDArray[np.intp]) -> str:
    """Stretches and their sections; a row leads to its beginning."""
    since = run.estimates.stamp_s - run.estimates.stamp_s[0]
    lines = []
    for stretch in metrics["stretches"]:
        for row in (stretch, *stretch["sections"]):
            cloud = _shown(clouds, int(np.searchsorted(since, row["begin_s"] - 1e-3)))
            bold = ("<b>", "</b>") if row is stretch else ("", "")
            values = [
                f"{row['begin_s']:.1f}", f"{row['length_m']:.0f}", percent(row["availability"], 0),
                *(with_unit(row["position_m"][k], "") for k in ("mean", "p95", "max")),
                *(with_unit(row[k]["mean"], "") for k in ("longitudinal_m", "lateral_m")),
                with_unit(row["heading_deg"]["median"], ""), str(row["locked_wrong"]), percent(row.get("single_scan_within_5_m"), 0),
            ]  # fmt: skip
            label = f"{'stretch' if row is stretch else 'section'} {row['name']}"
            button = f'<button type="button" data-cloud="{cloud}" aria-label="Show {label}">{row["name"]}</button>'
            cells = "".join(_cell("td", f"{bold[0]}{escape(value.strip())}{bold[1]}", number=True) for value in values)
            lines.append(f'<tr><td class="name">{bold[0]}{button}{bold[1]}</td>{cells}</tr>')
    head = "".join(_cell("th", escape(name), number=k > 0) for k, name in enumerate(PART_HEAD))
    note = (
        "A stretch (1, 2, …) is a part of the drive that stays on the map; sections (1.1, 1.2, …) are pieces of it of equal length. "
        "Errors are those while locked; along and across are means of absolute values, heading is the median; alone is the share of clouds "
        "whose single-scan answer is within 5 m. A number leads to the place."
    )
    head_row = f"<thead><tr>{head}</tr></thead>"
    return f'<p class="quiet">{note}</p><div class="table"><table class="wide">{head_row}<tbody>{"".join(lines)}</tbody></table></div>'


def _shown(clouds: NDArray[np.intp], cloud: int) -> int:
    """Index in the report of a cloud of the run, or of the last one before it."""
    return max(0, int(np.searchsorted(clouds, cloud, "right")) - 1)


def _states(run: Run, clouds: NDArray[np.intp]) -> str:
    stamps = run.estimates.stamp_s
    lines = []
    for event in run.info.get("events", []):
        cloud = _shown(clouds, int(np.searchsorted(stamps, event["stamp_s"] - 1e-3)))
        time = f'<button type="button" data-cloud="{cloud}">{event["stamp_s"] - stamps[0]:.1f} s</button>'
        lines.append(f'<tr><td class="name">{time}</td><td>{escape(event["state"])}</td><td>{escape(event["reason"])}</td></tr>')
    head = "<thead><tr><th>time</th><th>state</th><th>reason</th></tr></thead>"
    return f'<div class="table"><table>{head}<tbody>{"".join(lines)}</tbody></table></div>'


def _latency(latency: Mapping[str, Mapping[str, float]]) -> str:
    rows = [(stage, *(f"{row[n]:.1f}" for n in LATENCIES), row.get("count", "")) for stage, row in latency.items()]
    return table(("stage", "mean [ms]", "median", "95 %", "max", "clouds"), rows, numbers=5)


def _configuration(info: Mapping[str, Any]) -> str:
    return table(("setting", "value"), _flat(info.get("configuration", {})))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for name, value in values.items():
        out += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", str(value))]
    return out
