# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The map: its rasters, road widths, tiles for data sets, downloads."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.config.tile import BUILDINGS, BUILDINGS_AND_ROADS
from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class RasterConfig(Section):
    """The area's rasters that rendering and verification read."""

    resolution_m: float = setting(
        0.5, "pixel of the building raster; half the tile's pixel, finer than OSM footprints are accurate", unit="m", low=0.1, high=2.0
    )
    margin_m: float = setting(60.0, "border around the buildings, so that rays that leave the area need no check", unit="m", low=0.0)


@dataclass(frozen=True)
class RoadConfig(Section):
    """Width of the road surface by OSM class, kerb to kerb: few roads carry a `width`, so a usual one is taken."""

    motorway_m: float = setting(
        11.0, "one direction: two or three lanes of 3.5 m and a shoulder; each is a line of its own", unit="m", low=1.0
    )
    trunk_m: float = setting(9.0, "two wide lanes and margins; often one direction of a dual carriageway", unit="m", low=1.0)
    primary_m: float = setting(8.5, "two lanes of 3.5 m, and now and then a turning lane", unit="m", low=1.0)
    secondary_m: float = setting(7.5, "two lanes of 3.25 m with margins", unit="m", low=1.0)
    tertiary_m: float = setting(6.5, "two lanes on which buses still meet", unit="m", low=1.0)
    residential_m: float = setting(5.5, "two cars pass each other, or one and a row of parked ones", unit="m", low=1.0)
    living_street_m: float = setting(4.5, "made narrow on purpose", unit="m", low=1.0)
    service_m: float = setting(3.5, "one lane: drives, alleys, car parks", unit="m", low=1.0)
    link_m: float = setting(5.0, "ramps: one lane and a shoulder", unit="m", low=1.0)
    other_m: float = setting(5.5, "unclassified, road and all else: as residential", unit="m", low=1.0)

    def width_m(self, highway: str) -> float:
        """Width of a road of OSM's class `highway`."""
        name = "link" if highway.endswith("_link") else highway
        return float(getattr(self, f"{name}_m", self.other_m))


@dataclass(frozen=True)
class TileSetConfig(Section):
    """The data set of north-up map tiles that `area tiles` writes."""

    size_m: float = setting(100.0, "side of a tile, as in the MapNet thesis", unit="m", low=5.0, high=2000.0)
    overlap: float = setting(0.5, "share of a tile that its neighbour shows too: every place is well inside some tile", low=0.0, high=0.95)
    channels: str = setting(BUILDINGS_AND_ROADS, "what a tile shows", choices=(BUILDINGS, BUILDINGS_AND_ROADS))


@dataclass(frozen=True)
class DownloadConfig(Section):
    """How `area build --place` and `--bbox` ask OpenStreetMap's servers."""

    overpass_url: str = setting("https://overpass-api.de/api", "Overpass API; the environment's URBAN_MAP_LOC_OVERPASS_URL goes before")
    nominatim_url: str = setting(
        "https://nominatim.openstreetmap.org", "finds places by name; the environment's URBAN_MAP_LOC_NOMINATIM_URL goes before"
    )
    largest_answer_mb: float = setting(
        1000.0,
        "a longer answer is refused before it fills the memory; the 80 km² of a city of a million have some 150 MB",
        unit="MB",
        low=0.001,
    )
    largest_box_km2: float = setting(
        2500.0, "a larger box is not asked for: servers for everybody are no place to get a country from", unit="km²", low=0.001
    )
    transfer_s: float = setting(1800.0, "an answer that takes longer to come in is given up", unit="s", low=0.1)
    timeout_s: int = setting(180, "longest wait for an answer, also the limit given to the query itself", unit="s", low=1, high=900)
    attempts: int = setting(4, "a busy server is asked at most so often", low=1, high=20)
    backoff_s: float = setting(5.0, "wait after the first refusal; twice as long after each further one", unit="s", low=0.0, high=600.0)
