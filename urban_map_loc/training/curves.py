# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Curves of a training for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from urban_map_loc.errors import ConfigurationError, OutputError

# Takes figures by name, and after how many steps they were found.
Curves = Callable[[Mapping[str, float], int], None]


@contextmanager
def curves(folder: Path | None, steps: int) -> Iterator[Curves]:
    """Writes curves into a folder, from `steps` on: what an interrupted training drew beyond them is hidden. None: writes nothing.

    Raises:
        ConfigurationError: tensorboard is not installed.
        OutputError: the folder cannot be written.
    """
    if folder is None:
        yield lambda figures, steps: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter  # seconds to load
    except ImportError:
        raise ConfigurationError("--logs needs the package tensorboard; install it with `pip install tensorboard`") from None
    try:
        writer = SummaryWriter(str(folder), purge_step=steps or None)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}; choose another place for --logs") from error

    def write(figures: Mapping[str, float], steps: int) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, steps)

    try:
        yield write
    finally:
        writer.close()
