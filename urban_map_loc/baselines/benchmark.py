# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: every system with the same map, tiles, budget and questions; what is done already is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from urban_map_loc.baselines.figures import ask, figures
from urban_map_loc.baselines.kept import INDEX_S, ON, STEPS, TRAIN_S, Folder
from urban_map_loc.baselines.questions import Questions
from urban_map_loc.baselines.registry import key_of
from urban_map_loc.baselines.system import Budget, Progress, SharedGround, System
from urban_map_loc.errors import UrbanMapLocError

# Row of the table and share done of what it is doing.
Report = Callable[[str, float, str], None]
BYTES_PER_MB = 1e6


@dataclass(frozen=True)
class Failure:
    """Why a system has no row."""

    system: str
    seed: int
    reason: str


def benchmark(
    ground: SharedGround,
    systems: Sequence[type[System]],
    seeds: Sequence[int],
    drives: Mapping[str, Questions],
    budget: Budget,
    folder: Path,
    report: Report,
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Rows of all systems, seeds and drives (by name), and what failed; systems that draw nothing are asked with one seed only.

    Raises:
        OutputError: the folder cannot be written.
        KeyboardInterrupt: what is finished is kept, and an unfinished training's state.
    """
    rows, failures = [], []
    for system in systems:
        for seed in seeds if system.draws else seeds[:1]:
            try:
                rows += _rows(system, replace(ground, seed=seed), drives, budget, Folder(folder), report)
            except Exception as error:  # one system must not lose the others: whatever it is becomes its row
                failures.append(Failure(system.name, seed, reason_of(error)))
    return rows, failures


def reason_of(error: Exception) -> str:
    """What went wrong, in one line."""
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, UrbanMapLocError) else f"unexpected {type(error).__name__}: {text}"


def _rows(
    system: type[System], ground: SharedGround, drives: Mapping[str, Questions], budget: Budget, folder: Folder, report: Report
) -> list[dict[str, Any]]:
    name = f"{key_of(system)}_{ground.seed}"
    model = name if not system.learns_from_drives else f"{name}_{'_'.join(sorted(drives))}"
    rows: list[dict[str, Any]] = []
    ready: tuple[System, dict[str, Any]] | None = None
    for drive, questions in drives.items():
        kept = folder.row(f"{model}{ON}{drive}")
        if kept is None:
            say = saying(report, f"{system.name}, seed {ground.seed}")
            ready = ready or made(system, ground, budget, folder, model, say)
            answered = ask(ready[0], questions, say)
            kept = {
                "system": system.name,
                "seed": ground.seed,
                "drive": drive,
                **figures(answered),
                **ready[1],
                "errors_m": [round(float(e), 2) if e < float("inf") else None for e in answered.error_m],
            }
            folder.save_row(f"{model}{ON}{drive}", kept)
        rows.append(kept)
    return rows


def made(
    system: type[System], ground: SharedGround, budget: Budget, folder: Folder, name: str, say: Progress
) -> tuple[System, dict[str, Any]]:
    """A system that can be asked, and what making it took; from the folder where it was made before."""
    it = system(ground)
    if folder.model(name).is_file():
        tensors, facts = folder.load_model(name)
        it.load_tensors(tensors)
    else:
        began = time.monotonic()
        if system.learns:
            it.train(budget, folder.state(name), say)
        trained = time.monotonic()
        it.index(say)
        facts = {STEPS: it.steps, TRAIN_S: trained - began, INDEX_S: time.monotonic() - trained}
        folder.save_model(name, it.tensors(), facts)
        folder.state(name).unlink(missing_ok=True)
    size = sum(tensor.numel() * tensor.element_size() for tensor in it.tensors().values())
    return it, {
        STEPS: int(facts[STEPS]),
        TRAIN_S: round(facts[TRAIN_S], 1),
        INDEX_S: round(facts[INDEX_S], 2),
        "size_mb": round(size / BYTES_PER_MB, 3),
    }


def saying(report: Report, row: str) -> Progress:
    """What takes the progress of a row."""
    return lambda done, words: report(row, done, words)
