# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Splitting an area into the overlapping regions of an atlas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap, Layer
from urban_map_loc.area.atlas import ATLAS_FILE, Atlas, Box, Region, write_index
from urban_map_loc.area.geopackage import read_area, write_area
from urban_map_loc.config import RegionsConfig
from urban_map_loc.errors import AreaError, ConfigurationError
from urban_map_loc.output import final_folder


def build_atlas(area: AreaMap, folder: Path, config: RegionsConfig, progress: Callable[[int, int], None] | None = None) -> Atlas:
    """Write an area as an atlas without models; the folder appears when it is whole, an older atlas there is replaced.

    Args:
        progress: called with the squares looked at and how many there are.

    Raises:
        AreaError: no square has both roads and buildings.
        ConfigurationError: the area reaches too far from its datum.
        OutputError: `folder` cannot be written, or is no atlas.
    """
    reach_m = float(np.hypot(*np.abs(np.array(area.bounds)).reshape(2, 2).max(axis=0)))
    if reach_m > config.largest_reach_m:
        raise ConfigurationError(
            f"the area reaches {reach_m / 1000:.0f} km from its datum, {config.largest_reach_m / 1000:g} km are allowed about one datum; "
            "build several atlases with --bbox"
        )
    squares = list(cores(area.bounds, config.size_m))
    with final_folder(folder, ATLAS_FILE) as made:
        regions = []
        for done, (name, core) in enumerate(squares, start=1):
            if (part := cut(area, core, config.overlap_m)) is not None:
                write_area(part, made / f"{name}.gpkg")
                regions.append(Region(name, core, made / f"{name}.gpkg", part.content_hash, made / f"{name}.safetensors"))
            if progress:
                progress(done, len(squares))
        if not regions:
            raise AreaError("no region has both drivable roads and buildings; take an area where OpenStreetMap has building outlines")
        atlas = Atlas(made, area.datum, config.overlap_m, tuple(regions))
        write_index(atlas)
    return Atlas(folder, area.datum, config.overlap_m, tuple(_moved(region, folder) for region in regions))


def joined(atlas: Atlas, numbers: Iterable[int]) -> AreaMap:
    """Some regions of an atlas as one area, for pictures: buildings once each, roads as they were cut.

    Raises:
        AreaError: a region's file is missing or damaged.
    """
    parts = [read_area(atlas.regions[number].area) for number in numbers]
    _, first = np.unique(np.concatenate([part.building_ids for part in parts]), return_index=True)
    of_buildings = ("buildings_wgs84", "building_heights", "building_ids", "building_min_heights")
    of_roads = ("roads_wgs84", "road_classes", "road_oneways", "road_bridges")
    fields: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts])[np.sort(first)] for name in of_buildings}
    fields |= {name: np.concatenate([getattr(part, name) for part in parts]) for name in of_roads}
    return AreaMap(atlas.datum, **fields, source=parts[0].source, osm_timestamp=parts[0].osm_timestamp)


def cores(bounds: Box, size_m: float) -> Iterator[tuple[str, Box]]:
    """Name and west, south, east, north [m] of the squares that cover `bounds` [m], laid out about its middle."""
    west, south, east, north = bounds
    columns, rows = (max(1, int(np.ceil((high - low) / size_m))) for low, high in ((west, east), (south, north)))
    x0, y0 = (west + east - columns * size_m) / 2, (south + north - rows * size_m) / 2
    for row in range(rows):
        for column in range(columns):
            x, y = x0 + column * size_m, y0 + row * size_m
            yield f"r{row:02d}_c{column:02d}", (x, y, x + size_m, y + size_m)


def cut(area: AreaMap, core: Box, overlap_m: float) -> AreaMap | None:
    """What of an area lies within `overlap_m` of a square; None where the square has no drivable road, or no building is near."""
    west, south, east, north = core
    square = shapely.box(*core)
    near = area.roads[shapely.intersects(area.roads, square)]
    if shapely.length(shapely.intersection(near, square)).sum() == 0.0:
        return None
    return clipped(area, shapely.box(west - overlap_m, south - overlap_m, east + overlap_m, north + overlap_m))


def clipped(area: AreaMap, shape: shapely.Polygon) -> AreaMap | None:
    """What of an area lies within a polygon [m]; None where that has no drivable road or no building.

    Buildings that reach over the edge are kept whole, roads end there. Datum and source stay.
    """
    near, inside = shapely.intersects(area.roads, shape), shapely.intersects(area.buildings, shape)
    pieces, owner = shapely.get_parts(shapely.intersection(area.roads[near], shape), return_index=True)
    lines = shapely.get_type_id(pieces) == shapely.GeometryType.LINESTRING  # not where a road only touches the edge
    if not lines.any() or not inside.any():
        return None
    road = np.flatnonzero(near)[owner[lines]]
    whole = shapely.covered_by(area.roads[road], shape)
    return replace(
        area,
        buildings_wgs84=area.buildings_wgs84[inside],
        building_heights=area.building_heights[inside],
        building_ids=area.building_ids[inside],
        building_min_heights=area.building_min_heights[inside],
        roads_wgs84=np.where(whole, area.roads_wgs84[road], _to_degrees(area, pieces[lines])),
        road_classes=area.road_classes[road],
        road_oneways=area.road_oneways[road],
        road_bridges=area.road_bridges[road],
        tunnels=_near(area.tunnels, area.tunnel_lines, shape),
        barriers=_near(area.barriers, area.barrier_lines, shape),
        without_walls=_near(area.without_walls, area.footprints_without_walls, shape),
    )


def _near(layer: Layer, shapes: NDArray[np.object_], within: shapely.Polygon) -> Layer:
    inside = shapely.intersects(shapes, within)
    return Layer(layer.shapes_wgs84[inside], layer.kinds[inside], layer.ids[inside])


def _to_degrees(area: AreaMap, lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Line strings [m] with x = longitude, y = latitude [deg], longitudes continuous with the area's."""
    about = float(shapely.total_bounds(area.roads_wgs84)[0])

    def transformed(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        lat, lon = area.plane.to_geodetic(xy).T
        return np.column_stack([lon + 360.0 * np.round((about - lon) / 360.0), lat])

    return np.asarray(shapely.transform(lines, transformed))


def _moved(region: Region, folder: Path) -> Region:
    return replace(region, area=folder / region.area.name, model=folder / region.model.name)
