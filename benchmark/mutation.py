# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Mutation check of geometry, tile and fusion: one token of the code is changed, and some test should notice (an hour or more).

The changes are cosmic-ray's; its own runner changes the files themselves and starts a process for each, which compiles every kernel
anew. Here a process that has loaded all libraries forks for every change, imports the changed module in its place and runs the module's
tests until the first that fails; the files stay as they are. Where a module with kernels is changed all run as plain Python, else each
change would cost a compilation; where none is, they are compiled already. A change is survived when all tests pass. docs/quality.md has
the figures and what survivors are.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from mutation_rooms import ROOMS

os.environ["NUMBA_NUM_THREADS"] = "1"

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / "build" / "mutation" / "packages"  # where `make mutation` installs cosmic-ray

# One opposite each: all twelve operators in the place of each would be the same question twelve times.
OPERATORS = (
    "ReplaceBinaryOperator_Add_Sub", "ReplaceBinaryOperator_Sub_Add", "ReplaceBinaryOperator_Mul_Div", "ReplaceBinaryOperator_Div_Mul",
    "ReplaceBinaryOperator_FloorDiv_Mul", "ReplaceBinaryOperator_Mod_Mul", "ReplaceBinaryOperator_Pow_Mul",
    "ReplaceBinaryOperator_BitAnd_BitOr", "ReplaceComparisonOperator_Lt_LtE", "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_Gt_GtE", "ReplaceComparisonOperator_GtE_Gt", "ReplaceComparisonOperator_Lt_GtE",
    "ReplaceComparisonOperator_LtE_Gt", "ReplaceComparisonOperator_Gt_LtE", "ReplaceComparisonOperator_GtE_Lt",
    "ReplaceComparisonOperator_Eq_NotEq", "ReplaceComparisonOperator_NotEq_Eq", "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_IsNot_Is", "ReplaceUnaryOperator_Delete_USub", "ReplaceUnaryOperator_Delete_Not", "AddNot",
    "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak", "NumberReplacer", "ZeroIterationForLoop",
)  # fmt: skip


# Libraries are loaded before pytest, which would have looked into their asserts.
PLUGINS = ("--disable-plugin-autoload", "-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin")  # others take a second to load
IMPORTED_BEFORE = "ignore::pytest.PytestAssertRewriteWarning"


@dataclass(frozen=True)
class Change:
    """One change of one module: which operator at which of its places, on which line."""

    module: str
    operator: str
    occurrence: int
    line: int

    @property
    def path(self) -> Path:
        """The file that is changed."""
        return ROOT / "urban_map_loc" / f"{self.module}.py"

    @property
    def text(self) -> str:
        """The module's text without the change."""
        return self.path.read_text(encoding="utf-8")

    @property
    def compiled(self) -> bool:
        """Whether kernels are compiled while it is tried: none is changed."""
        return "njit" not in self.text

    def source(self) -> str:
        """The module's text with the change."""
        from cosmic_ray.mutating import mutate_code

        changed = mutate_code(self.text, operator_of(self.operator), self.occurrence)
        assert changed is not None
        return str(changed)

    def told(self, changed: str) -> str:
        """Where it is, and the line as it was and as it is."""
        was, now = self.text.splitlines(), changed.splitlines()
        first = next(k for k, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1])
        return f"{self.module}.py:{self.line} {self.operator}\n    - {was[first].strip()}\n    + {now[first].strip()}"


def operator_of(name: str) -> Any:
    """One of cosmic-ray's operators."""
    from cosmic_ray.plugins import get_operator

    return get_operator(f"core/{name}")()


def changes_of(module: str) -> list[Change]:
    """All changes of a module."""
    from cosmic_ray.ast import ast_nodes, get_ast

    nodes = list(ast_nodes(get_ast((ROOT / "urban_map_loc" / f"{module}.py").read_text(encoding="utf-8"))))
    found = []
    for name in OPERATORS:
        places = [start for node in nodes for start, _ in operator_of(name).mutation_positions(node)]
        found += [Change(module, name, k, line) for k, (line, _) in enumerate(places)]
    return found


class _Changed(importlib.abc.MetaPathFinder):
    """Finds the changed module in place of the file's."""

    def __init__(self, change: Change, source: str) -> None:
        self.name, self.path, self.source = f"urban_map_loc.{change.module.replace('/', '.')}", change.path, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        source = self.source

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                return compile(source, self.path, "exec")

        return importlib.util.spec_from_file_location(name, self.path, loader=Loader(name, str(self.path)))


class _Settings:
    """A pytest plugin: properties are tried on fewer examples and not shrunk; which example fails is of no interest."""

    def pytest_configure(self) -> None:
        import hypothesis

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutation", hypothesis.settings(), max_examples=25, phases=phases)
        hypothesis.settings.load_profile("mutation")


def outcome(tests: Sequence[str], changed: _Changed | None, cpu_s: int, *, compiled: bool) -> str:
    """Run tests in a fork: `killed`, `survived`, or `endless` where they took more than `cpu_s` of processor time."""
    import numba

    os.environ["NUMBA_DISABLE_JIT"] = str(int(not compiled))
    numba.config.reload_config()
    child = os.fork()
    if child == 0:
        code = 3
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
            if changed is not None:
                silent = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silent, 1)
                os.dup2(silent, 2)
                sys.meta_path.insert(0, changed)
            import pytest

            options = ["-x", "-q", "-p", "no:cacheprovider", *PLUGINS, "--timeout", "0", "-W", IMPORTED_BEFORE]
            files = [f"{ROOT / 'test'}/{name}" if "::" in name else f"{ROOT / 'test' / name}.py" for name in tests]
            code = int(pytest.main([*options, *files], plugins=[_Settings()]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "endless"
    return "survived" if os.WEXITSTATUS(status) == 0 else "killed"


def tried(changes: Sequence[Change], tests: Mapping[str, Sequence[str]], limits_s: Mapping[str, int], end: float, file: Path) -> None:
    """Try changes until time is up, by their modules' tests and limits; each result is a line of `file`, which several processes write."""
    with file.open("a", encoding="utf-8", buffering=1) as record:
        for change in changes:
            if time.monotonic() > end:
                break
            source = change.source()
            verdict = outcome(tests[change.module], _Changed(change, source), limits_s[change.module], compiled=change.compiled)
            print(json.dumps([astuple(change), verdict, change.told(source)]), file=record)


def known_from(file: Path) -> dict[Change, tuple[str, str]]:
    """What has been tried: verdict, and the line as it was and as it is."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {Change(*key): (verdict, told) for key, verdict, told in map(json.loads, lines)}


def check(name: str, minutes: float, share: float, jobs: int, out: Path) -> None:
    """Try the changes of a room in an order that is the same every time, until time or share is used up; results are kept in `out`."""
    file, limits_s = out / f"{name}.jsonl", {}
    for module in ROOMS[name]:
        change = changes_of(module)[0]
        before_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        if outcome(ROOMS[name][module], None, 3600, compiled=change.compiled) != "survived":
            raise SystemExit(f"{module}: its tests fail without any change; mend them first")
        limits_s[module] = 20 + round(3 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before_s))
    every = [change for module in ROOMS[name] for change in changes_of(module)]
    random.Random(0).shuffle(every)
    chosen, known = every[: round(share * len(every))], known_from(file)
    left, end = [change for change in chosen if change not in known], time.monotonic() + 60.0 * minutes
    helpers = []
    for job in range(jobs):
        if (helper := os.fork()) == 0:
            code = 1
            try:
                tried(left[job::jobs], ROOMS[name], limits_s, end, file)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        helpers.append(helper)
    failed = sum(os.waitpid(helper, 0)[1] != 0 for helper in helpers)
    known = known_from(file)
    found = [(change, *known[change]) for change in chosen if change in known]
    for _, _, told in sorted((c.module, c.line, told) for c, verdict, told in found if verdict == "survived"):
        print(told)
    survived = sum(verdict == "survived" for _, verdict, _ in found)
    noticed = len(found) - survived
    print(f"{name}: {len(every)} changes, {len(found)} tried, {noticed} noticed ({100.0 * noticed / max(len(found), 1):.1f} %), "
          f"{survived} survived")  # fmt: skip
    if failed:
        raise SystemExit(f"{name}: {failed} of {jobs} processes ended early; see their messages above")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), help=f"of {', '.join(ROOMS)}")
    parser.add_argument("--minutes", type=float, default=60.0, help="a room takes at most so long (default %(default)s)")
    parser.add_argument("--share", type=float, default=1.0, help="share of a room's changes that are tried (default all)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (default %(default)s, the cores)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "mutation", help="what is known already is not tried again; remove it to"
    )
    args = parser.parse_args()
    sys.path[:0] = [str(ROOT / "test"), str(ROOT)]
    sys.path.append(str(PACKAGES))
    import hypothesis  # noqa: F401  what tests load is loaded once, before the forks
    import numba  # noqa: F401
    import pyproj  # noqa: F401
    import pytest  # noqa: F401
    import scipy.linalg
    import scipy.ndimage
    import scipy.spatial  # noqa: F401
    import shapely  # noqa: F401
    import torch

    torch.set_num_threads(1)
    os.chdir(ROOT)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.rooms:
        check(name, args.minutes, args.share, args.jobs, args.out)


if __name__ == "__main__":
    main()
