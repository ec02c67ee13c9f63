# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Damage for fuzz tests: how many cases, how bytes are damaged, and the process in which a damaged input is read.

The reader under test runs in a process of its own (`fuzz_worker.py`): a crash of a native library, a hang and an allocation beyond
`ALLOWANCE_MB` fail the test instead of ending it.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# The one place that says how many cases each target gets: `make test` a few hundred, `make nightly` 10,000.
CASES = int(os.environ.get("URBAN_MAP_LOC_FUZZ_CASES", "200"))
# The suite repeats its cases, so that a red test stays red; the long run draws new ones every time and prints how to repeat a failure.
FUZZ = settings(
    max_examples=CASES, derandomize=CASES < 1000, database=None, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)

# For what takes a tenth of a second and more each time, such as starting a node.
RARELY = settings(FUZZ, max_examples=max(10, CASES // 20))

DEADLINE_S = 120.0  # the inputs are tiny: what takes so long hangs, also on a machine that has much else to do
ALLOWANCE_MB = 1024  # above what the process held before the case

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (
    b"", b"0", b"-1", b"nan", b"inf", b"-inf", b"1e999", b"1e308", b"-1e308", b"1e-320", b"99999999999999999999", b"0x10", b"1_0",
    b"\x00", b"\xff", b"\xc3", b"\xc2\xb2", b"\xd9\xa1", b'"', b",", b":", b"\n", b"null", b"true", b"[]", b"{}", b"[" * 5000,
    b"<", b"&amp;", b"..",
    b"/", b"a" * 300, b"9" * 5000, b"\n\n1 2\n", b" ", b"*a", b"&a [*a]", b"!!python/object:os.system", b"%s", b"${x}",
)  # fmt: skip
TOKEN = re.compile(rb"[^\s,:;<>=\"'{}\[\]/]+")

KINDS = ("flip", "set", "number", "number", "cut", "remove", "repeat", "splice", "word", "word", "insert")


class Damage(NamedTuple):
    """One change of a file: what, where (counted round), and with what."""

    kind: str
    at: int
    value: int


def damages() -> st.SearchStrategy[list[Damage]]:
    """One to five changes."""
    one = st.builds(Damage, st.sampled_from(KINDS), st.integers(0, 2**20), st.integers(0, 2**16))
    return st.lists(one, min_size=1, max_size=5)


def damaged(content: bytes, changes: list[Damage], other: bytes) -> bytes:
    """`content` after the changes; `other` is what is spliced in."""
    data = bytearray(content)
    for change in changes:
        data = _changed(data, change, other)
    return bytes(data)


def _changed(data: bytearray, change: Damage, other: bytes) -> bytearray:
    kind, _, value = change
    if not data:
        return bytearray(other[:value])
    # Most of a database file is zeros that nobody reads: three changes of four hit what is something.
    at = change.at % len(data)
    if value % 4 and not data[at]:
        at = next((k for k in range(at, len(data)) if data[k]), at)
    if kind == "flip":
        data[at] ^= 1 << value % 8
    elif kind == "set":
        data[at] = value % 256
    elif kind == "number":
        size, order = (1, 2, 4, 8)[value % 4], ("little", "big")[value // 4 % 2]
        number = NUMBERS[value // 8 % len(NUMBERS)] % 256**size
        data[at : at + size] = number.to_bytes(size, order)
    elif kind == "cut":
        del data[at:]
    elif kind == "remove":
        del data[at : at + 1 + value % 64]
    elif kind == "repeat":
        data[at:at] = data[at : at + 1 + value % 64] * (1 + value // 64 % 64)
    elif kind == "splice":
        data[at:] = other[value % (len(other) + 1) :]
    elif kind == "insert":
        data[at:at] = WORDS[value % len(WORDS)]
    else:
        found = TOKEN.search(data, at) or TOKEN.search(data)
        if found:
            data[found.start() : found.end()] = WORDS[value % len(WORDS)]
    return data


class Reader:
    """The process that reads damaged inputs; started anew after a crash or a hang."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._process = folder, None
        self._made: dict[str, Any] = {}
        self._warm: set[str] = set()

    def seeds(self, target: str) -> list[tuple[str, dict[str, bytes]]]:
        """Whole inputs: what to read, and its files. The reader has read them once, without bounds, and found them whole."""
        if target not in self._made:
            folder = self._folder / "seeds" / target.replace(" ", "_")
            reply = self._ask({"do": "seeds", "target": target, "folder": str(folder)})
            assert reply["outcome"] == "result", reply["text"]
            self._made[target] = [
                (read, {str(f.relative_to(folder / seed)): f.read_bytes() for f in sorted((folder / seed).rglob("*")) if f.is_file()})
                for seed, read in reply["seeds"]
            ]
        return self._made[target]

    def read_files(self, target: str, files: dict[str, bytes], read: str) -> None:
        """Have `read` of these files read; anything but a result or one of the project's own errors in one line fails."""
        case = self._folder / "case"
        for name, content in files.items():
            path = case / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            self.check({"do": "read", "target": target, "path": str(case / read)})
        finally:  # what is left would be read with the next case
            for name in files:
                (case / name).unlink(missing_ok=True)

    def check(self, request: dict[str, Any]) -> str:
        """Outcome of a request, `result` or `refused`; anything else fails."""
        reply = self._ask(request)
        assert reply["outcome"] in ("result", "refused"), f"{request.get('target')}: {reply['text']}"
        if reply["outcome"] == "refused":
            assert reply["text"].strip(), "an error without a word"
            assert "\n" not in reply["text"], f"an error of several lines: {reply['text']}"
            assert "; " in reply["text"], f"an error without a remedy: {reply['text']}"
        return str(reply["outcome"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            command = [sys.executable, str(Path(__file__).with_name("fuzz_worker.py")), str(ALLOWANCE_MB)]
            environment = {**os.environ, "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "reader.log").open("ab") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, bufsize=0
                )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        # The first request of a target loads and compiles what reading needs.
        answer, deadline = b"", DEADLINE_S * (1 if request["target"] in self._warm else 5)
        self._warm.add(request["target"])
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], deadline)
            part = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
            if not part:
                self.close()
                what = f"ended with {process.returncode}: a native crash" if ready else f"gave no answer in {deadline:.0f} s"
                log = (self._folder / "reader.log").read_bytes()[-2000:].decode("utf-8", "replace")
                return {"outcome": "failed", "text": f"the reader {what}\n{log}"}
            answer += part
        return dict(json.loads(answer))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            if self._process.poll() is None:
                try:
                    self._process.wait(0.2)
                except subprocess.TimeoutExpired:
                    self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
            self._warm.clear()
