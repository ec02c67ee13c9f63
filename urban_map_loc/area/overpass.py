# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Downloading OpenStreetMap data by name or box: osmnx asks, this room bounds its patience and keeps the answers.

The answers are written as a file and read like any other. osmnx is imported here only; nothing on the robot imports this file.
"""

from __future__ import annotations

import hashlib
import html
import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from urban_map_loc import __version__
from urban_map_loc.area import tags as rules
from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.box import GeoBox
from urban_map_loc.area.osm import read_osm
from urban_map_loc.area.overpass_answers import take_content, write_answers
from urban_map_loc.config import DownloadConfig
from urban_map_loc.errors import AreaError
from urban_map_loc.reading import json_of

log = logging.getLogger(__name__)

OVERPASS_VARIABLE, NOMINATIM_VARIABLE = "URBAN_MAP_LOC_OVERPASS_URL", "URBAN_MAP_LOC_NOMINATIM_URL"
CACHE_VARIABLE = "URBAN_MAP_LOC_CACHE"
OFFLINE = "without a connection, give a file: `area build --osm FILE`"
LONGEST_MESSAGE = 300
LONGEST_WAIT_S = 120.0
WANTED: dict[str, bool | str | list[str]] = {
    "building": True,
    "building:part": True,
    **dict.fromkeys(rules.STANDING, True),
    "highway": sorted(rules.DRIVABLE),
    "barrier": sorted(rules.BARRIERS),
    "historic": ["citywalls", "city_wall"],
}

T = TypeVar("T")


class _BusyError(Exception):
    """The server did not answer as asked; asking again may help."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def cache_folder() -> Path:
    """Where answers are kept: `URBAN_MAP_LOC_CACHE`, else the user's cache folder."""
    given = os.environ.get(CACHE_VARIABLE)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else base / "urban_map_loc"


def download_place(place: str, config: DownloadConfig) -> AreaMap:
    """The area within the box around a named place, such as a district.

    Raises:
        AreaError: the place is unknown or no area, the server cannot be reached or keeps refusing, or nothing useful is there.
    """
    import osmnx

    def ask() -> GeoBox:
        try:
            west, south, east, north = osmnx.geocode_to_gdf(place).total_bounds.tolist()
        except TypeError:
            raise AreaError(f"{place!r} is a point without an outline; name a district or town, or give --bbox W,S,E,N") from None
        except (ValueError, osmnx._errors.InsufficientResponseError) as error:
            raise AreaError(f"no place named {place!r} is known ({error}); spell it as openstreetmap.org does, or give --bbox") from None
        return GeoBox(west, south, east, north)

    config = _from_environment(config)
    with _osmnx_settings(cache_folder() / "places", config):
        box = _patiently(ask, config, config.nominatim_url)
    return _download(box, config, f"Overpass API, {place}")


def download_box(box: GeoBox, config: DownloadConfig) -> AreaMap:
    """The area within a box.

    Raises:
        AreaError: the server cannot be reached or keeps refusing, or nothing useful is there.
    """
    return _download(box, _from_environment(config), f"Overpass API, box {box}")


def _from_environment(config: DownloadConfig) -> DownloadConfig:
    urls = {"overpass_url": os.environ.get(OVERPASS_VARIABLE), "nominatim_url": os.environ.get(NOMINATIM_VARIABLE)}
    return DownloadConfig(**{**vars(config), **{name: url for name, url in urls.items() if url}})


def _download(box: GeoBox, config: DownloadConfig, source: str) -> AreaMap:
    if (size := box.size_km2) > config.largest_box_km2:
        raise AreaError(
            f"box {box} has {size:.0f} km², more than {config.largest_box_km2:g}; give a smaller one, or an extract with --osm FILE"
        )
    question = json.dumps([config.overpass_url, str(box), WANTED], sort_keys=True)
    folder = cache_folder() / "overpass" / hashlib.sha256(question.encode()).hexdigest()[:16]
    file = folder / "map.osm.pbf"
    if not file.is_file():
        for half in box.halves:
            _patiently(lambda half=half: _fetch(half, folder, config), config, config.overpass_url)  # type: ignore[misc]
        write_answers(file, [json_of(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))])
    log.info("map data kept in %s", folder)
    return read_osm(file, box, source)


def _fetch(box: GeoBox, folder: Path, config: DownloadConfig) -> None:
    """Have osmnx ask for everything in a box; the answers land in the folder."""
    import osmnx
    import shapely

    for path in folder.glob("*.json"):  # an answer whose writing was interrupted
        try:
            json_of(path.read_text(encoding="utf-8"))
        except ValueError:
            path.unlink()
    with _osmnx_settings(folder, config), suppress(osmnx._errors.CacheOnlyInterruptError):
        osmnx.features_from_polygon(shapely.box(*box), WANTED)


@contextmanager
def _osmnx_settings(folder: Path, config: DownloadConfig) -> Iterator[None]:
    """Module-wide settings of osmnx, and the resolver it replaces, for the time of a question."""
    import osmnx

    wanted = {
        "cache_folder": folder,
        "use_cache": True,
        "cache_only_mode": True,
        "overpass_url": config.overpass_url,
        "nominatim_url": config.nominatim_url,
        "overpass_rate_limit": False,  # it would wait without limit; a 429 tells us as well
        "requests_timeout": config.timeout_s,
        "requests_kwargs": {"hooks": {"response": lambda response, *_, **__: _check(response, config)}},
        "http_user_agent": f"urban_map_loc/{__version__}",
        "http_referer": f"urban_map_loc/{__version__}",
        "doh_url_template": None,  # no third party learns what is asked
    }
    before = {name: getattr(osmnx.settings, name) for name in wanted}
    resolver = socket.getaddrinfo
    try:
        for name, value in wanted.items():
            setattr(osmnx.settings, name, value)
        yield
    finally:
        socket.getaddrinfo = resolver
        for name, value in before.items():
            setattr(osmnx.settings, name, value)


def _check(response: Any, config: DownloadConfig) -> None:
    """Called with every answer before osmnx sees it: osmnx itself would repeat 429 and 504 for ever and keep half answers."""
    if not take_content(response, config):
        raise _BusyError(f"the answer had not come in after {config.transfer_s:g} s")
    if response.is_redirect:
        return
    if response.status_code >= 400:
        wait = response.headers.get("Retry-After", "")
        message = f"{response.status_code} {response.reason}: {_message(response.text)}".rstrip(": ")
        if response.status_code in (429, 500, 502, 503, 504):
            raise _BusyError(message, float(wait) if wait.isascii() and wait.isdecimal() else 0.0)
        raise AreaError(f"{response.url.split('?')[0]} refuses ({message}); correct the request or its address, or give a file with --osm")
    try:
        answer = response.json()
    except ValueError:
        raise _BusyError(f"no whole JSON: {_message(response.text)}") from None
    if isinstance(answer, dict) and "error" in str(answer.get("remark", "")):
        raise _BusyError(_message(str(answer["remark"])))


def _message(text: str) -> str:
    """The server's own words in one line: without the markup of an HTML page."""
    text = re.sub(r"(?is)<(head|style|script)\b.*?</\1>|<[^>]*>", " ", text)
    text = " ".join(html.unescape(text).split())
    error = text.find("Error")
    text = text[error:] if error > 0 else text
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."


def _patiently(ask: Callable[[], T], config: DownloadConfig, url: str) -> T:
    """Ask up to `attempts` times, waiting twice as long after each failure, or as long as the server says."""
    for attempt in range(config.attempts):
        wait = config.backoff_s * 2.0**attempt
        try:
            return ask()
        except _BusyError as error:
            last: Exception = error
            wait = max(wait, error.wait_s)
        except OSError as error:  # every exception of requests is one
            if _unknown_host(error):
                raise AreaError(f"{url} is not known to this machine's network; {OFFLINE}") from error
            last = error
        if attempt + 1 < config.attempts:
            log.warning("%s: %s; asking again in %.0f s", url, last, wait)
            time.sleep(min(wait, LONGEST_WAIT_S))
    raise AreaError(f"{url} gave no map in {config.attempts} attempts ({last}); try again later, or {OFFLINE}") from last


def _unknown_host(error: BaseException | None) -> bool:
    """Whether a name that could not be resolved is behind an error: asking again would only take time."""
    while error is not None and not isinstance(error, socket.gaierror):
        error = error.__cause__ or error.__context__
    return error is not None
