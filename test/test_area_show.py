# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`area show`: a picture with all that an area holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely
from towns import crossing

from urban_map_loc.area.area_map import AreaMap, Layer
from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import run
from urban_map_loc.evaluation.area_picture import BARRIER, BUILDING, HEDGE, area_figure


@pytest.fixture
def area() -> AreaMap:
    plain = crossing()
    lines = [shapely.LineString([(10, 10), (60, 70)]), shapely.LineString([(10, 20), (60, 80)])]
    shapes = np.array([shapely.transform(line, lambda xy: plain.plane.to_geodetic(xy)[:, ::-1]) for line in lines], dtype=object)
    kinds, ids = np.array(["hedge", "wall"], dtype=object), np.array(["way/1", "way/2"], dtype=object)
    return dataclasses.replace(plain, barriers=Layer(shapes, kinds, ids), tunnels=Layer(shapes[:1], kinds[:1], ids[:1]))


def test_the_picture_is_written(area, tmp_path, capsys):
    write_area(area, tmp_path / "a.gpkg")
    assert run(["area", "show", str(tmp_path / "a.gpkg"), "--out", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "2 barriers" in capsys.readouterr().out


def test_a_missing_area_is_one_line(tmp_path, capsys):
    assert run(["area", "show", str(tmp_path / "a.gpkg"), "--out", str(tmp_path / "a.png")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_footprints_barriers_scale_and_attribution_are_drawn(area, tmp_path):
    figure, axes, width, height = area_figure(area, (-60.0, -60.0, 60.0, 60.0), "a town", right_in=0.15)
    texts = [text.get_text() for text in axes.texts]
    assert "© OpenStreetMap contributors, ODbL" in texts
    assert "20 m" in texts
    assert (width, height) == (11.0, 11.0)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    for colour in (BUILDING, BARRIER, HEDGE):
        rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
        assert (np.abs(pixels.astype(int) - rgb).max(axis=1) < 30).any()
