# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A picture of one cloud: its points by class from above and from the side, the tile, and the tile over the map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.cloud.cloud import BUILDING, GROUND, OTHER, ROAD
from urban_map_loc.evaluation.area_picture import DPI, INK, PAPER, ROAD_EDGE, TRUTH, attribution_of, draw_map_on, save
from urban_map_loc.evaluation.area_picture import GROUND as LAND_COLOUR
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.tile.from_cloud import BuildingTile
from urban_map_loc.tile.grid import TileGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WALL_COLOUR, ROAD_COLOUR = "#c1452b", "#4a7fb0"
# Name and colour of each kind of point, in the order in which they are drawn.
KINDS = {GROUND: ("ground", "#d9cfa8"), ROAD: ("road", ROAD_COLOUR), OTHER: ("other", "#7f9a78"), BUILDING: ("building", WALL_COLOUR)}
FREE_COLOUR, UNKNOWN_COLOUR = "#ffffff", "#dcd8d0"
PANEL_IN, SIDE_IN, EDGE_IN, TITLE_IN = 7.0, 2.0, 0.55, 0.5
# More points than a picture shows are thinned evenly: a cloud of millions would take minutes.
MOST_DRAWN = 300_000
HEIGHTS_M = (-4.0, 12.0)  # of the side view, about the ground below the car


@dataclass(frozen=True, eq=False)
class SeenCloud:
    """What there is to show of a cloud.

    Attributes:
        points: `(N, 3)` [m] in the base frame, finite.
        kinds: `(N,)` what each lies on, as `cloud.extraction.point_kinds` says.
        tile: what the scan of these points shows.
        T_map_base: where the car truly was, None where that is not known.
    """

    points: NDArray[np.float32]
    kinds: NDArray[np.uint8]
    tile: BuildingTile
    T_map_base: Pose2 | None = None


def draw_cloud(seen: SeenCloud, grid: TileGrid, range_m: float, path: Path, title: str, area: AreaMap | None = None) -> None:
    """Write the picture as PNG; the map is drawn where both area and true pose are there.

    Raises:
        OutputError: `path` cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    over_map = area is not None and seen.T_map_base is not None
    columns = 3 if over_map else 2
    width = columns * (PANEL_IN + EDGE_IN) + EDGE_IN
    height = PANEL_IN + SIDE_IN + 2.0 * EDGE_IN + 2.0 * TITLE_IN
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)

    def panel(column: int, bottom_in: float, width_in: float, height_in: float) -> Axes:
        left = EDGE_IN + column * (PANEL_IN + EDGE_IN)
        axes = figure.add_axes((left / width, bottom_in / height, width_in / width, height_in / height))
        axes.tick_params(labelsize=8, colors=INK)
        for spine in axes.spines.values():
            spine.set_edgecolor(ROAD_EDGE)
        return axes

    upper = SIDE_IN + 2.0 * EDGE_IN + 0.5 * TITLE_IN
    _from_above(panel(0, upper, PANEL_IN, PANEL_IN), seen, range_m)
    _tile(panel(1, upper, PANEL_IN, PANEL_IN), seen.tile, grid)
    if area is not None and seen.T_map_base is not None:
        _over_map(panel(2, upper, PANEL_IN, PANEL_IN), seen, seen.T_map_base, area, grid)
    _from_the_side(panel(0, EDGE_IN, width - 2.0 * EDGE_IN, SIDE_IN), seen, range_m)
    figure.text(EDGE_IN / width, 1.0 - 0.28 / height, title, fontsize=12, color=INK, va="center")
    save(figure, path)


def _groups(seen: SeenCloud) -> list[tuple[str, str, NDArray[np.float32]]]:
    """Name, colour and points of each class, in the order in which they are drawn."""
    step = -(-max(len(seen.points), 1) // MOST_DRAWN)
    groups = ((name, colour, seen.points[seen.kinds == kind]) for kind, (name, colour) in KINDS.items())
    return [(f"{name}, {len(points)} points", colour, points[::step]) for name, colour, points in groups]


def _from_above(axes: Axes, seen: SeenCloud, range_m: float) -> None:
    """Car in the middle, driving up."""
    from matplotlib.patches import Circle

    for name, colour, points in _groups(seen):
        size = 1.6 if colour == WALL_COLOUR else 0.5
        axes.scatter(-points[:, 1], points[:, 0], s=size, c=colour, linewidths=0.0, label=name, rasterized=True)
    axes.add_patch(Circle((0.0, 0.0), range_m, fill=False, edgecolor=INK, linewidth=0.6, linestyle=(0, (4, 4))))
    _car(axes, 0.0, 0.0, 0.5 * np.pi)
    _square(axes, 1.1 * range_m)
    axes.set_facecolor(PAPER)
    axes.set_title("from above, driving up [m]; dashed: the range that is used", loc="left", fontsize=10, color=INK)
    axes.legend(loc="upper right", fontsize=9, markerscale=8.0, framealpha=0.92, edgecolor=ROAD_EDGE)


def _from_the_side(axes: Axes, seen: SeenCloud, range_m: float) -> None:
    """Height over the way ahead, of all points within the range."""
    near = np.hypot(seen.points[:, 0], seen.points[:, 1]) <= range_m
    part = replace(seen, points=seen.points[near], kinds=seen.kinds[near])
    ground = float(np.percentile(part.points[:, 2], 10.0)) if near.any() else 0.0
    for _, colour, points in _groups(part):
        axes.scatter(points[:, 0], points[:, 2] - ground, s=0.5, c=colour, linewidths=0.0, rasterized=True)
    axes.set_xlim(-range_m, range_m)
    axes.set_ylim(*HEIGHTS_M)
    axes.set_facecolor(PAPER)
    axes.set_title(
        "from the right, driving to the right [m]; heights above the lowest tenth of the points", loc="left", fontsize=10, color=INK
    )


def _tile(axes: Axes, tile: BuildingTile, grid: TileGrid) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    picture = np.empty((*tile.hits.shape, 3))
    picture[:] = to_rgb(UNKNOWN_COLOUR)
    shown = [("not seen", UNKNOWN_COLOUR), ("free along the rays", FREE_COLOUR)]
    picture[tile.free == 1] = to_rgb(FREE_COLOUR)
    if tile.road is not None:
        picture[tile.road == 1] = to_rgb(ROAD_COLOUR)
        shown.append(("road", ROAD_COLOUR))
    picture[tile.hits == 1] = to_rgb(WALL_COLOUR)
    shown.append(("wall", WALL_COLOUR))
    half = grid.half_m
    axes.imshow(picture, extent=(-half, half, -half, half), interpolation="nearest")
    _car(axes, 0.0, 0.0, 0.5 * np.pi)
    axes.set_title(
        f"tile, {grid.size_px} x {grid.size_px} pixels of {grid.resolution_m:g} m, driving up", loc="left", fontsize=10, color=INK
    )
    patches = [Patch(facecolor=colour, edgecolor=ROAD_EDGE, label=name) for name, colour in reversed(shown)]
    axes.legend(handles=patches, loc="upper right", fontsize=9, framealpha=0.92, edgecolor=ROAD_EDGE)


def _over_map(axes: Axes, seen: SeenCloud, T_map_base: Pose2, area: AreaMap, grid: TileGrid) -> None:
    """The tile's walls and free space where the truth puts them, north up."""
    from matplotlib.colors import ListedColormap

    reach = 1.45 * grid.half_m
    axes.set_facecolor(LAND_COLOUR)
    draw_map_on(axes, area, PANEL_IN * 72.0 / (2.0 * reach))
    layers = [(seen.tile.free, FREE_COLOUR, 0.45), (seen.tile.hits, WALL_COLOUR, 0.9)]
    if seen.tile.road is not None:
        layers.insert(1, (seen.tile.road, ROAD_COLOUR, 0.45))
    edges = np.arange(grid.size_px + 1)
    corners = grid.centres(*np.meshgrid(edges - 0.5, edges - 0.5, indexing="ij"))
    corners = T_map_base.transform(corners.reshape(-1, 2)).reshape(corners.shape)
    for plane, colour, alpha in layers:
        shown = np.ma.masked_equal(plane, 0)
        axes.pcolormesh(
            corners[..., 0], corners[..., 1], shown, cmap=ListedColormap([colour]), alpha=alpha, linewidth=0.0, antialiased=False, zorder=6
        )
    _car(axes, T_map_base.x, T_map_base.y, T_map_base.yaw)
    axes.set_xlim(T_map_base.x - reach, T_map_base.x + reach)
    axes.set_ylim(T_map_base.y - reach, T_map_base.y + reach)
    axes.set_title("tile over the map at the true pose, north up [m from the datum]", loc="left", fontsize=10, color=INK)
    axes.text(0.99, 0.01, attribution_of(area), transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color=INK, zorder=20)


def _car(axes: Axes, x: float, y: float, yaw: float) -> None:
    """An arrow head that points where the car heads: `yaw` [rad], 0 to the right."""
    turn = Pose2(x, y, yaw)
    axes.fill(*turn.transform([[2.4, 0.0], [-1.6, 1.3], [-0.8, 0.0], [-1.6, -1.3]]).T, facecolor=TRUTH, edgecolor=PAPER, zorder=10)


def _square(axes: Axes, half: float) -> None:
    axes.set_xlim(-half, half)
    axes.set_ylim(-half, half)
