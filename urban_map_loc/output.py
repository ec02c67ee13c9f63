# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Final files appear whole or not at all: written under a temporary name beside the goal, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from urban_map_loc.errors import OutputError


def _make_parent(path: Path) -> None:
    """Make the folder that `path` goes into, or say why it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{path} cannot be written: a part of its path is a file, not a folder; choose another place") from error
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}; choose another place") from error
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path} cannot be written: no permission in {path.parent}; choose another place")


def _temporary(path: Path) -> Path:
    """A name beside `path`: same suffix, hidden, unique to this process."""
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


def require_writable(path: Path) -> None:
    """Find out before long work whether its result can be written.

    Raises:
        OutputError: `path` is a folder or cannot be written.
    """
    _make_parent(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder, not a file; choose another name")


@contextmanager
def final_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success it becomes `path` (replacing an older one), on any failure it is removed.

    Raises:
        OutputError: `path` cannot be written.
    """
    require_writable(path)
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}; choose another place or free some space") from error
    finally:
        for left in path.parent.glob(f"{temporary.name}*"):  # a database's journal too
            left.unlink(missing_ok=True)


def require_folder(path: Path, mark: str) -> None:
    """Find out before long work whether its folder can be written: not there, empty, or one of ours, which holds the file `mark`.

    Raises:
        OutputError: `path` is something else, or cannot be written.
    """
    _make_parent(path)
    if path.is_file() or (path.is_dir() and not (path / mark).exists() and any(path.iterdir())):
        raise OutputError(f"{path} exists and has no {mark}, so it is not replaced; remove it or choose another name")


@contextmanager
def final_folder(path: Path, mark: str) -> Iterator[Path]:
    """Yield a new temporary folder; on success it becomes `path`, on any failure it is removed.

    An older folder is replaced only where it holds the file `mark`, which shows that it is one of ours, or is empty.

    Raises:
        OutputError: `path` is something else, or cannot be written.
    """
    require_folder(path, mark)
    temporary = _temporary(path)
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}; choose another place or free some space") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
