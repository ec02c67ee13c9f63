# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What OSM's tags mean to a lidar on a car. docs/area.md has the same rules as a table, with reasons."""

from __future__ import annotations

from collections.abc import Mapping

Tags = Mapping[str, str]

DRIVABLE = frozenset(f"{name}{link}" for name in ("motorway", "trunk", "primary", "secondary", "tertiary") for link in ("", "_link")) | {
    "unclassified",
    "residential",
    "living_street",
    "service",
    "road",
}
# Values of `building` and `building:part` that have no walls a sensor on the road would see.
NO_WALLS = frozenset(
    {"no", "roof", "carport", "canopy", "pergola", "bridge", "underground", "tent", "entrance", "steps"}
    | {"proposed", "planned", "demolished", "razed", "removed", "destroyed", "dismantled"}
)
# Prefixed `building` keys of what is still standing; every other prefix (demolished:, proposed:, was:, ...) is not read.
STANDING = ("abandoned:building", "disused:building", "ruins:building")
GONE = ("demolished", "razed", "removed", "destroyed", "dismantled", "proposed", "planned")
BARRIERS = frozenset({"city_wall", "wall", "retaining_wall", "fence", "hedge"})
# Keys that make a multipolygon land or water: its ways are not looked up for buildings.
LAND = frozenset({"landuse", "natural", "leisure", "boundary", "waterway", "water", "highway", "area:highway", "place"})
LEVEL_M = 3.0
HANGING_M = 3.0  # what starts this high above the ground has no wall beside the road: a lidar sees through below it
METRES_PER_FOOT = 0.3048


def building_value(tags: Tags) -> str:
    """Value of `building`, or of a prefixed key that means a standing ruin; empty for what is no building."""
    value = tags.get("building", "")
    if value:
        return value
    return next((tags[key] for key in STANDING if tags.get(key, "no") != "no"), "")


def no_wall_reason(value: str, tags: Tags) -> str:
    """Why a building (or part) of this value shows no wall to the road, as a tag; empty where it has walls."""
    if value in NO_WALLS:
        return f"building={value}"
    if tags.get("location") in ("underground", "underwater"):
        return f"location={tags['location']}"
    if _number(tags.get("layer", "")) < 0.0:
        return f"layer={tags['layer']}"
    if tags.get("wall") == "no" or tags.get("walls") == "no":
        return "wall=no"
    for key in GONE:
        if tags.get(key) == "yes":
            return f"{key}=yes"
    if min_height_m(tags) >= HANGING_M:
        return f"min_height={min_height_m(tags):g}"
    return ""


def height_m(tags: Tags) -> float:
    """Top above ground [m], NaN where neither `height` nor `building:levels` says it."""
    for key, unit in (("height", 1.0), ("building:height", 1.0), ("building:levels", LEVEL_M)):
        if key in tags:
            value = _metres(tags[key]) * unit
            if 0.0 < value < 1000.0:
                return value
    return float("nan")


def min_height_m(tags: Tags) -> float:
    """Bottom above ground [m]: 0 unless `min_height` or `building:min_level` says otherwise."""
    for key, unit in (("min_height", 1.0), ("building:min_height", 1.0), ("building:min_level", LEVEL_M)):
        if key in tags:
            value = _metres(tags[key]) * unit
            if 0.0 < value < 1000.0:
                return value
    return 0.0


def is_drivable(tags: Tags) -> bool:
    """Whether cars use it: a road's centre line, not the outline of a square."""
    return tags.get("highway") in DRIVABLE and tags.get("area") != "yes"


def is_tunnel(tags: Tags) -> bool:
    """Whether the road sees no sky and no building: any `tunnel`, and roads that are covered."""
    return tags.get("tunnel", "no") != "no" or tags.get("covered") == "yes" or tags.get("location") == "underground"


def is_bridge(tags: Tags) -> bool:
    """Whether the road is carried by a bridge."""
    return tags.get("bridge", "no") != "no"


def oneway(tags: Tags) -> int:
    """1: along the line, -1: against it, 0: both ways. Motorways and roundabouts are one-way unless they say otherwise."""
    value = tags.get("oneway", "")
    if value in ("yes", "true", "1"):
        return 1
    if value in ("-1", "reverse"):
        return -1
    implied = tags.get("highway") == "motorway" or tags.get("junction") in ("roundabout", "circular")
    return 1 if implied and value == "" else 0


def barrier_kind(tags: Tags) -> str:
    """Kind of a barrier that returns a lidar's rays; empty for anything else."""
    value = tags.get("barrier", "")
    if value in BARRIERS:
        return value
    return "city_wall" if tags.get("historic") in ("citywalls", "city_wall") else ""


def _metres(text: str) -> float:
    """The length in a tag [m]: `12`, `12,5 m`, `10 ft`, `33'`; NaN where it is none."""
    text = text.strip().replace(",", ".")
    scale = METRES_PER_FOOT if text.endswith(("'", "ft")) else 1.0
    return _number(text.rstrip("m'ft ")) * scale


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
