# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of an area: footprints, roads, barriers, datum, scale bar and attribution. map.png is drawn on top of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.output import final_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
BARRIER, HEDGE, TUNNEL, DATUM = "#8c6d46", "#7d9d6a", "#c9c2b6", "#b4342d"
LONGEST_SIDE_IN = 11.0
EDGE_IN, TITLE_IN = 0.15, 0.4
DPI = 130
BORDER_M = 10.0


def attribution_of(area: AreaMap) -> str:
    """The line that the licence of the area's data asks for."""
    invented = any(word in area.source.lower() for word in ("generated", "invented"))
    return GENERATED_ATTRIBUTION if invented else ATTRIBUTION


def draw_area(area: AreaMap, path: Path, title: str = "") -> None:
    """Write a picture of the whole area as PNG, with its datum marked.

    Raises:
        OutputError: `path` cannot be written.
    """
    west, south, east, north = area.bounds
    frame = (west - BORDER_M, south - BORDER_M, east + BORDER_M, north + BORDER_M)
    figure, axes, _, _ = area_figure(area, frame, title, right_in=EDGE_IN)
    label = f"datum {area.datum.lat_deg:.7f}, {area.datum.lon_deg:.7f}"
    axes.plot(0.0, 0.0, marker="P", markersize=9, color=DATUM, markeredgecolor=PAPER, linestyle="", zorder=15, label=label)
    axes.legend(loc="upper right", fontsize=9, framealpha=0.92, edgecolor=ROAD_EDGE).set_zorder(20)
    save(figure, path)


def area_figure(
    area: AreaMap, frame: tuple[float, float, float, float], title: str, *, right_in: float
) -> tuple[Figure, Axes, float, float]:
    """A figure of what lies in the frame (west, south, east, north [m]), to draw on.

    Args:
        area: what to draw.
        frame: the part of it.
        title: one line above the picture.
        right_in: room right of the map [inch].

    Returns:
        Figure, axes in metres of the `map` frame, width and height of the map [inch].
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    west, south, east, north = frame
    scale = LONGEST_SIDE_IN / max(east - west, north - south)
    width, height = scale * (east - west), scale * (north - south)
    total_w, total_h = width + (right_in if right_in > EDGE_IN else 2.0 * EDGE_IN), height + EDGE_IN + TITLE_IN
    figure = Figure(figsize=(total_w, total_h), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((EDGE_IN / total_w, EDGE_IN / total_h, width / total_w, height / total_h))
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor(GROUND)
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    for spine in axes.spines.values():
        spine.set_edgecolor(ROAD_EDGE)
    draw_map_on(axes, area, scale * 72.0)
    _draw_scale_bar(axes, west, south, east - west)
    axes.text(
        *(0.995, 0.008), attribution_of(area), transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=INK, zorder=20,
        bbox={"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 2.0},
    )  # fmt: skip
    return figure, axes, width, height


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG.

    Raises:
        OutputError: `path` cannot be written.
    """
    with final_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")


def draw_map_on(axes: Axes, area: AreaMap, points_per_metre: float) -> None:
    """Draw an area's footprints, roads and barriers on axes in metres of the `map` frame.

    Args:
        axes: to draw on.
        area: what to draw.
        points_per_metre: scale of the axes, in typographic points, for the roads' widths.
    """
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.path import Path as Outline

    dashes = LineCollection(_points(area.tunnel_lines), colors=TUNNEL, linewidths=1.0, linestyles=(0, (3, 3)), zorder=1)
    axes.add_collection(dashes)
    hedges = area.barriers.kinds == "hedge"
    for chosen, colour in ((hedges, HEDGE), (~hedges, BARRIER)):
        axes.add_collection(LineCollection(_points(area.barrier_lines[chosen]), colors=colour, linewidths=0.7, zorder=3))
    lines = _points(area.roads)
    for width_m, colour, z in ((7.0, ROAD_EDGE, 1), (5.6, ROAD, 2)):
        roads = LineCollection(lines, colors=colour, linewidths=width_m * points_per_metre, zorder=z, capstyle="round", joinstyle="round")
        axes.add_collection(roads)
    outlines = []
    for building in area.buildings:
        rings = [Outline(shapely.get_coordinates(ring), closed=True) for ring in (building.exterior, *building.interiors)]
        outlines.append(Outline.make_compound_path(*rings))
    axes.add_collection(PathCollection(outlines, facecolors=BUILDING, edgecolors=BUILDING_EDGE, linewidths=0.5, zorder=3))


def _points(lines: NDArray[np.object_]) -> list[NDArray[np.float64]]:
    return [shapely.get_coordinates(line) for line in lines]


def _draw_scale_bar(axes: Axes, west: float, south: float, width_m: float) -> None:
    length = max(v for v in (10, 20, 50, 100, 200, 500, 1000) if v <= max(10.0, 0.22 * width_m))
    x, y = west + 0.02 * width_m, south + 0.02 * width_m
    axes.plot([x, x + length], [y, y], color=PAPER, linewidth=6, solid_capstyle="butt", zorder=19)
    axes.plot([x, x + length], [y, y], color=INK, linewidth=3, solid_capstyle="butt", zorder=20)
    axes.text(
        *(x + 0.5 * length, y + 0.008 * width_m), f"{length} m", ha="center", va="bottom", fontsize=9, color=INK, zorder=20,
        bbox={"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip
