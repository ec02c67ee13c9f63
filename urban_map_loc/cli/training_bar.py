# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The progress bar of trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def training_bar(shown: bool = True) -> Iterator[Callable[[float, dict[str, float]], None]]:
    """A bar on stderr; yields what takes the share done and the figures that `training.run.train` reports."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[figures]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("training", total=1.0, figures="")
        yield lambda done, figures: bar.update(task, completed=done, figures=_in_words(figures))


def _in_words(figures: dict[str, float]) -> str:
    words = [f"loss {figures['loss']:.2f}", f"{figures['tiles_per_s']:.0f} tiles/s"]
    if "recall" in figures:
        words.append(f"recall {figures['recall']:.0%}")
    if "within_10_m" in figures:
        words.append(f"within 10 m {figures['within_10_m']:.0%}")
    return ", ".join(words)
