# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Hand-made OpenStreetMap files for tests: ways and relations over a lattice of nodes with known places."""

import shapely

from urban_map_loc.area.osm import read_osm

# Names of nodes on a lattice: "xy" is x * 0.001 deg east, y * 0.001 deg north of (8.0, 50.0).


def node_id(x, y):
    return 1 + 100 * x + y


def document(ways="", relations="", bounds=""):
    nodes = "".join(
        f'<node id="{node_id(x, y)}" version="1" lat="{50 + y / 1000:.7f}" lon="{8 + x / 1000:.7f}"/>' for x in range(10) for y in range(10)
    )
    return f'<?xml version="1.0"?>\n<osm version="0.6">{bounds}{nodes}{ways}{relations}</osm>\n'


def way(number, corners, **tags):
    refs = "".join(f'<nd ref="{node_id(*corner)}"/>' for corner in corners)
    return f'<way id="{number}" version="1">{refs}{tagged(tags)}</way>'


def relation(number, members, **tags):
    refs = "".join(f'<member type="way" ref="{ref}" role="{role}"/>' for ref, role in members)
    return f'<relation id="{number}" version="1">{refs}{tagged({"type": "multipolygon", **tags})}</relation>'


def tagged(tags):
    return "".join(f'<tag k="{key.replace("__", ":")}" v="{value}"/>' for key, value in tags.items())


def square(x, y, size=1):
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y)]


STREET = way(900, [(0, 9), (5, 9), (9, 9)], highway="residential")


def read(tmp_path, text):
    path = tmp_path / "map.osm"
    path.write_text(text, encoding="utf-8")
    return read_osm(path)


def box(x, y, size=1):
    return shapely.box(8 + x / 1000, 50 + y / 1000, 8 + (x + size) / 1000, 50 + (y + size) / 1000)


def same(polygon, expected):
    return shapely.equals_exact(shapely.normalize(polygon), shapely.normalize(expected), 1e-9)
