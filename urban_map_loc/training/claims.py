# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Claims: which process trains which region of an atlas, told by files in its folder.

Any number of processes on any number of machines that share the folder take regions from each other's queue without a coordinator: a
file that can only be made once says who has a region, and its age says whether that one still lives. Should two take the same region
after all, both write the same model, each at once: time is lost, nothing else.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from urban_map_loc.config import AtlasTrainingConfig
from urban_map_loc.errors import ModelError, OutputError
from urban_map_loc.reading import object_of


class Claim:
    """A region that is this process's until the `with` block ends, or the process does.

    Args:
        path: of the claim file.
        attempt: the how manieth process this is that trains the region.
        beat_s: it is renewed this often [s].
    """

    def __init__(self, path: Path, attempt: int, beat_s: float) -> None:
        self.path, self.attempt = path, attempt
        self._token = uuid.uuid4().hex
        self._beat_s, self._over = beat_s, threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)

    def made(self) -> bool:
        """Make the file; False where another process was quicker.

        Raises:
            OutputError: the folder cannot be written.
        """
        said = {"host": socket.gethostname(), "pid": os.getpid(), "attempt": self.attempt, "token": self._token}
        try:
            with self.path.open("x", encoding="utf-8") as file:
                json.dump(said, file)
        except FileExistsError:
            return False
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror or error}; make the atlas's folder writable") from error
        return True

    def __enter__(self) -> Claim:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        if _said(self.path).get("token") == self._token:  # else another has taken it over
            self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._over.wait(self._beat_s):
            with suppress(OSError):  # taken over; the work is nearly done all the same
                os.utime(self.path)


def claim(path: Path, config: AtlasTrainingConfig) -> Claim | None:
    """Take what the claim file `path` stands for; None where a living process has it.

    Raises:
        ModelError: as many processes as are allowed have died over it.
        OutputError: the folder cannot be written.
    """
    attempt = 1
    if path.exists():
        said = _said(path)
        if not _is_dead(path, said, config.silent_s):
            return None
        attempt = int(said.get("attempt", 1)) + 1
        if attempt > config.attempts:
            raise ModelError(f"{config.attempts} processes died while they trained it, of memory perhaps; remove {path} to try again")
        gone = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.rename(gone)  # of several that try, one succeeds
        except OSError:
            return None
        gone.unlink(missing_ok=True)
    made = Claim(path, attempt, config.beat_s)
    return made if made.made() else None


def _said(path: Path) -> dict[str, Any]:
    """What a claim file says; nothing where it is gone or only half written."""
    try:
        return object_of(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _is_dead(path: Path, said: dict[str, Any], silent_s: float) -> bool:
    """Whether the process of a claim is no more: known at once on this machine, after some silence on others."""
    if said.get("host") == socket.gethostname() and isinstance(said.get("pid"), int):
        try:
            os.kill(said["pid"], 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
    # By the clock of the folder's own machine: those of two machines differ.
    probe = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime > silent_s
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
