# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A whole comparison: from an area file and bags to tables and pictures in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from urban_map_loc import __version__
from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import raster_cache
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.baselines.benchmark import Failure, Report, benchmark
from urban_map_loc.baselines.growth import growth
from urban_map_loc.baselines.kept import Folder
from urban_map_loc.baselines.pictures import draw_accuracy_over_time, draw_growth, draw_recall
from urban_map_loc.baselines.questions import Questions, questions_of_drive, require_truth
from urban_map_loc.baselines.registry import systems_named
from urban_map_loc.baselines.system import Budget, SharedGround, System
from urban_map_loc.baselines.tables import as_csv, as_markdown
from urban_map_loc.config import BaselinesConfig, TrainConfig, train_config
from urban_map_loc.errors import ConfigurationError, UrbanMapLocError
from urban_map_loc.mapnet.inference import choose_device
from urban_map_loc.output import final_file
from urban_map_loc.settings import from_dict, nested, to_dict

NAME = "benchmark"
OF_SYSTEMS = "baselines."


@dataclass(frozen=True)
class Wanted:
    """What is to be compared, on what, and where the results go; see `urban_map_loc benchmark --help`."""

    area: Path
    bags: Sequence[Path]
    out: Path
    minutes: float
    steps: int
    systems: Sequence[str] = ()
    seeds: Sequence[int] = (0,)
    radii_m: Sequence[float] = ()


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is wanted, found to be there and to fit together."""

    wanted: Wanted
    systems: list[type[System]]
    budget: Budget
    config: TrainConfig
    settings: BaselinesConfig
    area: AreaMap
    bags: dict[str, BagReader]


def prepare(wanted: Wanted, given: Mapping[str, Any]) -> Prepared:
    """Read what is quick to read and claim the folder, before long work starts.

    Args:
        wanted: what is to be compared.
        given: settings by dotted name: of `TrainConfig`, or of `BaselinesConfig` after `baselines.`.

    Raises:
        AreaError, BagError, ConfigurationError, OutputError: in one line each.
    """
    systems, budget = systems_named(wanted.systems), Budget(wanted.minutes, wanted.steps)
    config, settings = settings_of(given)
    bags = {path.resolve().name: BagReader(path) for path in wanted.bags}
    if len(bags) < len(wanted.bags):
        raise ConfigurationError("two bags have the same name, by which results are kept; rename one")
    for bag in bags.values():
        require_truth(bag)
    area = read_area(wanted.area)
    Folder(wanted.out).claim(_in_common(area, config, settings, budget))
    return Prepared(wanted, systems, budget, config, settings, area, bags)


def compare(prepared: Prepared, device: str, report: Report) -> tuple[str, list[str]]:
    """Make what is missing in the folder, and all tables and pictures anew; the Markdown and the names of the files.

    Raises:
        BagError, ConfigurationError, OutputError: in one line each; a system's own failure is only a row.
        UrbanMapLocError: all systems failed.
    """
    wanted, settings, area = prepared.wanted, prepared.settings, prepared.area
    drives: dict[str, Questions] = {}
    for k, (name, bag) in enumerate(prepared.bags.items()):
        report(f"reading {name}", k / len(prepared.bags), "")
        drives[name] = questions_of_drive(bag, area, prepared.config.tile, settings.questions)
    ground = replace(
        SharedGround.of(area, prepared.config, settings, choose_device(device), cache=raster_cache(wanted.area)),
        drives=[questions.drive for questions in drives.values() if questions.drive is not None],
    )
    rows, failures = benchmark(ground, prepared.systems, wanted.seeds, drives, prepared.budget, wanted.out, report)
    if not rows:
        raise UrbanMapLocError(f"all systems failed, the first, {failures[0].system}, with: {failures[0].reason}")
    files: list[str] = []
    if wanted.radii_m:
        grown, not_grown = growth(ground, prepared.systems, next(iter(drives.values())), sorted(wanted.radii_m), report)
        failures += not_grown
        files = _write_growth(wanted.out, grown)
    files = _write(wanted.out, Folder(wanted.out).rows(), failures) + files
    return (wanted.out / f"{NAME}.md").read_text(encoding="utf-8"), files


def settings_of(given: Mapping[str, Any]) -> tuple[TrainConfig, BaselinesConfig]:
    """Settings of tiles and trainings, and of the systems, from those given by dotted name.

    Raises:
        ConfigurationError: an unknown name, or a value out of range.
    """
    own = {name.removeprefix(OF_SYSTEMS): value for name, value in given.items() if name.startswith(OF_SYSTEMS)}
    others = {name: value for name, value in given.items() if not name.startswith(OF_SYSTEMS)}
    return train_config(others), from_dict(BaselinesConfig, nested(own))


def _in_common(area: AreaMap, config: TrainConfig, settings: BaselinesConfig, budget: Budget) -> dict[str, Any]:
    return {
        "version": __version__,
        "area": area.content_hash,
        "minutes": budget.minutes,
        "steps": budget.steps,
        "settings": to_dict(config),
        "baselines": to_dict(settings),
    }


def _write(out: Path, rows: Sequence[Mapping[str, Any]], failures: Sequence[Failure]) -> list[str]:
    texts = {f"{NAME}.csv": as_csv(rows), f"{NAME}.md": as_markdown(rows, failures)}
    for name, text in texts.items():
        with final_file(out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    files = list(texts)
    for drive in dict.fromkeys(row["drive"] for row in rows):
        of_drive = [row for row in rows if row["drive"] == drive]
        for kind, draw in (("recall", draw_recall), ("accuracy_over_time", draw_accuracy_over_time)):
            draw(of_drive, out / f"{kind}_{drive}.png")
            files.append(f"{kind}_{drive}.png")
    return files


def _write_growth(out: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    with final_file(out / "growth.csv") as partial:
        partial.write_text(as_csv(rows, list(rows[0])), encoding="utf-8")
    draw_growth(rows, out / "growth.png")
    return ["growth.csv", "growth.png"]
