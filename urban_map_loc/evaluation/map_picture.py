"""map.png: the area, the truth, the estimates and the moment of lock in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.evaluation.metrics import pose_errors
from urban_map_loc.evaluation.run_files import Estimates
from urban_map_loc.localization.result import State
from urban_map_loc.output import final_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

ATTRIBUTION = "© OpenStreetMap contributors, ODbL"
GENERATED_ATTRIBUTION = "generated town, no real place"
PAPER, GROUND, BUILDING, BUILDING_EDGE, ROAD, ROAD_EDGE, INK, TRUTH = (
    "#ffffff",
    "#f3f0ea",
    "#d5cdc0",
    "#b3a895",
    "#ffffff",
    "#ddd6ca",
    "#2b2b2b",
    "#22577a",
)
MARGIN_M = 45.0
LARGEST_ERROR_M = 5.0  # the colour scale ends here
LONGEST_SIDE_IN = 11.0
DPI = 130


def attribution_of(area: AreaMap) -> str:
    """The line that the licence of the area's data asks for."""
    invented = any(word in area.source.lower() for word in ("generated", "invented"))
    return GENERATED_ATTRIBUTION if invented else ATTRIBUTION


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    west, south, east, north = _frame(area, estimates, truth)
    scale = LONGEST_SIDE_IN / max(east - west, north - south)
    width, height = scale * (east - west), scale * (north - south)
    figure = Figure(figsize=(width + 1.1, height + 0.55), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.15 / (width + 1.1), 0.15 / (height + 0.55), width / (width + 1.1), height / (height + 0.55)))
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor(GROUND)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    for spine in axes.spines.values():
        spine.set_edgecolor(ROAD_EDGE)
    per_metre = scale * 72.0
    _draw_area(axes, area, per_metre)
    handles = _draw_truth(axes, estimates, truth)
    _draw_estimates(figure, axes, estimates, truth, width, height)
    handles += _draw_lock(axes, estimates, truth)
    if handles:
        axes.legend(handles=handles, loc="upper right", fontsize=9, framealpha=0.92, edgecolor=ROAD_EDGE).set_zorder(20)
    _draw_scale_bar(axes, west, south, east - west)
    axes.text(
        *(0.995, 0.008), attribution_of(area), transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=INK, zorder=20,
        bbox={"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 2.0},
    )  # fmt: skip
    with final_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")


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


def _draw_area(axes: Axes, area: AreaMap, points_per_metre: float) -> None:
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.path import Path as Outline

    lines = [shapely.get_coordinates(road) for road in area.roads]
    for width_m, colour, z in ((7.0, ROAD_EDGE, 1), (5.6, ROAD, 2)):
        roads = LineCollection(lines, colors=colour, linewidths=width_m * points_per_metre, zorder=z, capstyle="round", joinstyle="round")
        axes.add_collection(roads)
    outlines = []
    for building in area.buildings:
        rings = [Outline(shapely.get_coordinates(ring), closed=True) for ring in (building.exterior, *building.interiors)]
        outlines.append(Outline.make_compound_path(*rings))
    axes.add_collection(PathCollection(outlines, facecolors=BUILDING, edgecolors=BUILDING_EDGE, linewidths=0.5, zorder=3))


def _draw_truth(axes: Axes, estimates: Estimates, truth: FloatArray) -> list[Any]:
    if not np.isfinite(truth).any():
        return []
    locked = estimates.offered
    (line,) = axes.plot(*truth[:, :2].T, color=TRUTH, linewidth=4.5, alpha=0.45, zorder=5, solid_capstyle="round", label="truth")
    waiting = np.where(locked[:, None], np.nan, truth[:, :2])
    (dashed,) = axes.plot(*waiting.T, color=INK, linewidth=1.2, linestyle=(0, (2, 2)), zorder=6, label="truth, no estimate yet or lost")
    start = truth[np.isfinite(truth).all(axis=1)][0]
    (begin,) = axes.plot(*start[:2], marker="o", markersize=8, color=PAPER, markeredgecolor=INK, linestyle="", zorder=9, label="start")
    return [line, begin] + ([] if locked.all() else [dashed])


def _draw_estimates(figure: Figure, axes: Axes, estimates: Estimates, truth: FloatArray, width: float, height: float) -> None:
    chosen = estimates.offered
    if not chosen.any():
        axes.text(0.5, 0.5, "never locked", transform=axes.transAxes, ha="center", fontsize=16, color=INK, zorder=20)
        return
    error = pose_errors(estimates.poses[chosen], truth[chosen])["position"]
    east, north = estimates.poses[chosen, :2].T
    colour = np.nan_to_num(error)
    dots = axes.scatter(east, north, c=colour, cmap="turbo", vmin=0.0, vmax=LARGEST_ERROR_M, s=9.0, linewidths=0.0, zorder=7)
    if np.isfinite(error).any():
        total_w, total_h = width + 1.1, height + 0.55
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


def _draw_scale_bar(axes: Axes, west: float, south: float, width_m: float) -> None:
    length = max(v for v in (10, 20, 50, 100, 200, 500, 1000) if v <= max(10.0, 0.22 * width_m))
    x, y = west + 0.02 * width_m, south + 0.02 * width_m
    axes.plot([x, x + length], [y, y], color=PAPER, linewidth=6, solid_capstyle="butt", zorder=19)
    axes.plot([x, x + length], [y, y], color=INK, linewidth=3, solid_capstyle="butt", zorder=20)
    axes.text(
        *(x + 0.5 * length, y + 0.008 * width_m), f"{length} m", ha="center", va="bottom", fontsize=9, color=INK, zorder=20,
        bbox={"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip
