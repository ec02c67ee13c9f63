# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's pictures: recall over distance, accuracy against time, growth with the area."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from urban_map_loc.baselines.figures import WITHIN_M
from urban_map_loc.baselines.tables import by_system
from urban_map_loc.output import final_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
FARTHEST_M = 30.0
NEAREST_MS = 0.1


def draw_recall(rows: Sequence[Row], path: Path) -> None:
    """One drive's recall over distance, a line a system, of all its seeds together.

    Raises:
        OutputError: the picture cannot be written.
    """

    def draw(axes: Axes) -> None:
        metres = np.linspace(0.0, FARTHEST_M, 301)
        for k, (system, seeds) in enumerate(by_system(rows).items()):
            error = np.array([np.inf if e is None else e for row in seeds for e in row["errors_m"]])
            share = 100.0 * np.mean(error[:, None] <= metres, axis=0)
            axes.plot(metres, share, _line(k), label=system)
        axes.set(xlabel="error of the first guess at most [m]", ylabel="scans [%]", xlim=(0.0, FARTHEST_M), ylim=(0.0, 100.0))
        axes.set_title(f"{rows[0]['drive']}, {rows[0]['scans']} scans, each alone")

    _picture(path, draw)


def draw_accuracy_over_time(rows: Sequence[Row], path: Path) -> None:
    """One drive's recall at the first distance against the time of a query, a point a system.

    Raises:
        OutputError: the picture cannot be written.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    def draw(axes: Axes) -> None:
        for k, (system, seeds) in enumerate(by_system(rows).items()):
            at_ms = max(median(row["query_ms"] for row in seeds), NEAREST_MS)
            recall = 100.0 * median(row[f"within_{WITHIN_M[0]:g}_m"] for row in seeds)
            axes.plot([at_ms], [recall], _marker(k), label=system, linestyle="none")
        axes.set(xlabel="time of a query [ms]", ylabel=f"scans within {WITHIN_M[0]:g} m [%]", xscale="log", ylim=(0.0, 100.0))
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))  # the usual ones run into each other within two decades
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{rows[0]['drive']}, each scan alone")

    _picture(path, draw)


def draw_growth(rows: Sequence[Row], path: Path) -> None:
    """Size and query time of each system over the area's size.

    Raises:
        OutputError: the picture cannot be written.
    """

    def draw(size: Axes, time: Axes) -> None:
        for k, system in enumerate(dict.fromkeys(row["system"] for row in rows)):
            of_system = sorted((row for row in rows if row["system"] == system), key=lambda row: row["area_km2"])
            area = [row["area_km2"] for row in of_system]
            for axes, name in ((size, "size_mb"), (time, "query_ms")):
                axes.plot(area, [max(row[name], 1e-3) for row in of_system], _marker(k) + _line(k).lstrip("C0123456789"), label=system)
        size.set(xlabel="area [km²]", ylabel="size [MB]", yscale="log")
        time.set(xlabel="area [km²]", ylabel="time of a query [ms]", yscale="log")

    _picture(path, draw, 2)


def _picture(path: Path, draw: Callable[..., None], columns: int = 1) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0 * columns + 3.5, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = list(figure.subplots(1, columns, squeeze=False)[0])
    draw(*all_axes)
    for axes in all_axes:
        axes.grid(alpha=0.3)
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    with final_file(path) as partial:
        figure.savefig(partial, dpi=120, format="png")


def _line(k: int) -> str:
    """Ten colours, then the same with other dashes."""
    return f"C{k % 10}{('-', '--', ':')[k // 10 % 3]}"


def _marker(k: int) -> str:
    return f"C{k % 10}{('o', 's', '^')[k // 10 % 3]}"
