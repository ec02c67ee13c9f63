# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The whole, as a user runs it: commands one after the other on a generated town, in under a minute."""

from __future__ import annotations

import json

import pytest

from urban_map_loc.area.geopackage import read_area
from urban_map_loc.bags.reader import BagReader, CloudRecord
from urban_map_loc.cli.main import run
from urban_map_loc.evaluation.run_files import read_run
from urban_map_loc.simulation.route import town_route
from urban_map_loc.simulation.town import write_town


@pytest.mark.timeout(300)  # a minute, and compiling for the first time on a slow machine
def test_from_openstreetmap_to_a_report(tmp_path, capsys):
    osm, area, model, route, bag, out = (tmp_path / n for n in ("t.osm", "t.gpkg", "t.safetensors", "r.csv", "bag", "run"))
    write_town(osm, 7)
    assert run(["area", "build", "--osm", str(osm), "--out", str(area)]) == 0
    assert run(["train", str(area), "--out", str(model), "--steps", "6", "--device", "cpu"]) == 0
    town_route(read_area(area), 3, 300.0).write_csv(route)
    drive = ["simulate", str(area), "--route", str(route), "--out", str(bag), "--sensor", "vlp16", "--duration", "6", "--seed", "1"]
    assert run(drive) == 0
    localize = ["localize", str(bag), "--area", str(area), "--model", str(model), "--out", str(out)]
    assert run(localize) == 0
    assert run(["evaluate", str(out)]) == 0

    clouds = sum(isinstance(record, CloudRecord) for record in BagReader(bag).records())
    estimates = read_run(out).estimates
    assert len(estimates.stamp_s) == clouds == 60
    assert (estimates.offered == (estimates.state == "locked")).all()
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["clouds_with_truth"] == clouds
    assert (out / "map.png").stat().st_size > 10_000
    assert "<html" in (out / "report.html").read_text()
    capsys.readouterr()

    # A model of another town is refused in one line, and the earlier run is still there.
    write_town(osm, 8)
    assert run(["area", "build", "--osm", str(osm), "--out", str(area)]) == 0
    capsys.readouterr()
    assert run(localize) == 1
    err = capsys.readouterr().err.strip().splitlines()
    assert "trained on area" in err[-1]
    assert (out / "metrics.json").is_file()
