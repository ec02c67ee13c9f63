# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""map.png: the area, the truth, the estimates and the moment of lock in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.evaluation.area_picture import INK, PAPER, ROAD_EDGE, area_figure, save
from urban_map_loc.evaluation.colours import ERROR_COLOURS, error_scale_end_m
from urban_map_loc.evaluation.pose_errors import pose_errors
from urban_map_loc.evaluation.run_files import Estimates
from urban_map_loc.localization.result import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

MARGIN_M = 45.0
COLOUR_BAR_IN = 1.1  # room for it, right of the map


def draw_map(area: AreaMap, estimates: Estimates, truth: FloatArray, path: Path, title: str = "") -> None:
    """Write the picture as PNG.

    Args:
        area: buildings and roads.
        estimates: fused answers.
        truth: `(N, 3)` true poses at their stamps, NaN where unknown.
        path: the PNG file.
        title: one line above the picture.

    Raises:
        OutputError: `path` cannot be written.
    """
    frame = _frame(area, estimates, truth)
    figure, axes, width, height = area_figure(area, frame, title, right_in=COLOUR_BAR_IN)
    handles = _draw_truth(axes, estimates, truth)
    _draw_estimates(figure, axes, estimates, truth, width, height)
    handles += _draw_lock(axes, estimates, truth)
    if handles:
        axes.legend(handles=handles, loc="upper right", fontsize=9, framealpha=0.92, edgecolor=ROAD_EDGE).set_zorder(20)
    save(figure, path)


def _frame(area: AreaMap, estimates: Estimates, truth: FloatArray) -> tuple[float, float, float, float]:
    """West, south, east, north [m]: the drive with a margin, not narrower than two thirds of its longer side; else the area."""
    poses = truth if np.isfinite(truth).all(axis=1).any() else estimates.poses
    known = poses[np.isfinite(poses).all(axis=1), :2]
    if not len(known):
        return area.bounds
    low, high = known.min(axis=0) - MARGIN_M, known.max(axis=0) + MARGIN_M
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    half = np.maximum(half, 0.62 * half.max())
    return (*(centre - half), *(centre + half))


def _draw_truth(axes: Axes, estimates: Estimates, truth: FloatArray) -> list[Any]:
    if not np.isfinite(truth).any():
        return []
    locked = estimates.offered
    (line,) = axes.plot(*truth[:, :2].T, color=INK, linewidth=7.0, alpha=0.35, zorder=5, solid_capstyle="round", label="truth")
    waiting = np.where(locked[:, None], np.nan, truth[:, :2])
    (dashed,) = axes.plot(*waiting.T, color=INK, linewidth=1.2, linestyle=(0, (2, 2)), zorder=6, label="truth, no estimate yet or lost")
    start = truth[np.isfinite(truth).all(axis=1)][0]
    (begin,) = axes.plot(*start[:2], marker="o", markersize=8, color=PAPER, markeredgecolor=INK, linestyle="", zorder=9, label="start")
    return [line, begin] + ([] if locked.all() else [dashed])


def _draw_estimates(figure: Figure, axes: Axes, estimates: Estimates, truth: FloatArray, width: float, height: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    chosen = estimates.offered
    if not chosen.any():
        axes.text(0.5, 0.5, "never locked", transform=axes.transAxes, ha="center", fontsize=16, color=INK, zorder=20)
        return
    error = pose_errors(estimates.poses[chosen], truth[chosen])["position"]
    east, north = estimates.poses[chosen, :2].T
    colour = np.nan_to_num(error)
    scale = LinearSegmentedColormap.from_list("error", ERROR_COLOURS[:-1]).with_extremes(over=ERROR_COLOURS[-1])
    dots = axes.scatter(east, north, c=colour, cmap=scale, vmin=0.0, vmax=error_scale_end_m(error), s=13.0, linewidths=0.0, zorder=7)
    if np.isfinite(error).any():
        total_w, total_h = width + COLOUR_BAR_IN, height + 0.55
        bar_axes = figure.add_axes(((width + 0.25) / total_w, 0.15 / total_h, 0.16 / total_w, 0.5 * height / total_h))
        bar = figure.colorbar(dots, cax=bar_axes, extend="max")
        bar.set_label("position error of the estimate [m]", fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=8)


def _draw_lock(axes: Axes, estimates: Estimates, truth: FloatArray) -> list[Any]:
    """A star where the first lock was, with its time."""
    locked = estimates.state == State.LOCKED.value
    if not locked.any():
        return []
    first = int(np.argmax(locked))
    place = estimates.poses[first, :2]
    (star,) = axes.plot(
        *place,
        marker="*",
        markersize=17,
        color="#ffd23f",
        markeredgecolor=INK,
        markeredgewidth=0.9,
        linestyle="",
        zorder=12,
        label="first lock",
    )
    seconds = estimates.stamp_s[first] - estimates.stamp_s[0]
    text = f"locked after {seconds:.1f} s"
    before = truth[: first + 1, :2]
    if np.isfinite(before).all() and len(before) > 1:
        text += f", {np.hypot(*np.diff(before, axis=0).T).sum():.0f} m"
    left = place[0] > np.mean(axes.get_xlim())
    low = place[1] > np.mean(axes.get_ylim())
    axes.annotate(
        text,
        (float(place[0]), float(place[1])),
        xytext=(-60 if left else 60, -46 if low else 46),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=10,
        color=INK,
        zorder=13,
        bbox={"facecolor": "#fff6d6", "edgecolor": INK, "boxstyle": "round,pad=0.35", "linewidth": 0.8},
        arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.9, "shrinkB": 7},
    )
    return [star]
