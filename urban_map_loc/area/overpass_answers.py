# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What Overpass answers, within bounds, and as an .osm.pbf file that is read like any other."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from urban_map_loc.config import DownloadConfig
from urban_map_loc.errors import AreaError
from urban_map_loc.output import final_file
from urban_map_loc.reading import MB

PIECE_BYTES = 1 << 16


def take_content(response: Any, config: DownloadConfig) -> bool:
    """Read what a server sends (a `requests.Response` of which nothing is read yet), and keep it in the response.

    Returns:
        Whether it came in time: requests itself waits for the next bytes only, of which there may be one a minute.

    Raises:
        AreaError: it is larger than `largest_answer_mb`.
    """
    pieces, size, ends = [], 0, time.monotonic() + config.transfer_s
    for piece in response.iter_content(PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > config.largest_answer_mb * MB:
            response.close()
            where = response.url.split("?")[0]
            raise AreaError(f"{where} sends more than {config.largest_answer_mb:g} MB; ask for a smaller box, or give a file with --osm")
        if time.monotonic() > ends:
            response.close()
            return False
    response._content = b"".join(pieces)  # where requests looks for it
    return True


def write_answers(path: Path, answers: list[Any]) -> None:
    """Overpass's JSON as an .osm.pbf file, each object once.

    Raises:
        AreaError: an answer is not as Overpass writes them.
        OutputError: `path` cannot be written.
    """
    try:
        _write(path, answers)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
        raise AreaError(
            f"an answer of Overpass is damaged ({type(error).__name__}: {error}); remove {path.parent} and ask again"
        ) from error


def _write(path: Path, answers: list[Any]) -> None:
    import osmium

    header = osmium.io.Header()
    header.set("generator", "Overpass API")
    ages = [str(answer.get("osm3s", {}).get("timestamp_osm_base", "")) for answer in answers]
    if ages and all(ages):
        header.set("osmosis_replication_timestamp", min(ages))
    found = {(item["type"], item["id"]): item for answer in answers for item in answer.get("elements", ())}
    make = osmium.osm.mutable
    with final_file(path) as temporary, osmium.SimpleWriter(osmium.io.File(str(temporary), "pbf"), header=header) as out:
        for (kind, number), item in sorted(found.items()):  # node, relation, way: the reader takes any order
            tags = item.get("tags", {})
            if kind == "node":
                out.add_node(make.Node(id=number, version=1, tags=tags, location=(item["lon"], item["lat"])))
            elif kind == "way":
                out.add_way(make.Way(id=number, version=1, tags=tags, nodes=item["nodes"]))
            else:
                members = [(member["type"][0], member["ref"], member["role"]) for member in item["members"]]
                out.add_relation(make.Relation(id=number, version=1, tags=tags, members=members))
