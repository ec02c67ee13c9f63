# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Keys pressed in the terminal while a command runs."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import Any


class PauseKey:
    """The space bar pauses and goes on, Ctrl-C ends; a context manager that gives the terminal back as it was.

    Without a terminal it never pauses. Ctrl-C (SIGINT) is noted and raised by the next `paused`: raised wherever it comes, it may fall into
    a callback of a library that swallows it, and a loop would go on for ever.
    """

    def __init__(self) -> None:
        self._paused = self._interrupted = False
        self._before: list[Any] | None = None
        self._handler: Any = None

    def __enter__(self) -> PauseKey:
        self._handler = signal.signal(signal.SIGINT, self._note)
        if sys.stdin is not None and sys.stdin.isatty():
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)  # keys at once; Ctrl-C still interrupts
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._handler)
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    @property
    def there(self) -> bool:
        """Whether there is a terminal to press keys in."""
        return self._before is not None

    def paused(self) -> bool:
        """Whether the command is to wait, after the keys pressed since the last call.

        Raises:
            KeyboardInterrupt: Ctrl-C was among them.
        """
        if self._interrupted:
            raise KeyboardInterrupt
        while self.there and select.select([sys.stdin], [], [], 0.0)[0]:
            key = os.read(sys.stdin.fileno(), 1)
            if not key:
                break  # the terminal has gone
            self._paused ^= key == b" "
        return self._paused

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
