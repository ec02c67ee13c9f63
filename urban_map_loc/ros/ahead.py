# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reading ahead: a bag's next messages are fetched in another thread while the last ones wait for their time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator

Message = tuple[int, str, str, bytes]

# So much is fetched ahead: enough for a second of large clouds, and little memory.
MOST_BYTES = 32 * 1024 * 1024
MOST_MESSAGES = 1000


def read_ahead(messages: Iterable[Message]) -> Iterator[Message]:
    """The same messages; an exception of theirs comes where it would have come."""
    with _Ahead(messages) as ahead:
        ahead.fill()
        while (message := ahead.take()) is not None:
            yield message


class _Ahead:
    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages, self._waiting, self._bytes = messages, deque[Message](), 0
        self._changed = threading.Condition()
        self._ended, self._stopped = False, False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._fetch, name="read ahead", daemon=True)

    def __enter__(self) -> _Ahead:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def fill(self) -> None:
        """Wait until no more is fetched for now: a clock that begins afterwards is not held up by it."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._full())

    def take(self) -> Message | None:
        """The next message, None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if not self._waiting:
                if self._error is not None:
                    raise self._error
                return None
            message = self._waiting.popleft()
            self._bytes -= len(message[3])
            self._changed.notify_all()
            return message

    def _fetch(self) -> None:
        try:
            for message in self._messages:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped or not self._waiting or not self._full())
                    if self._stopped:
                        return
                    self._waiting.append((message[0], message[1], message[2], message[3]))
                    self._bytes += len(message[3])
                    self._changed.notify_all()
        except Exception as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _full(self) -> bool:
        return self._bytes >= MOST_BYTES or len(self._waiting) >= MOST_MESSAGES
