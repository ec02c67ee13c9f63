# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Damaged files that coverage leads to: the targets of `fuzz_targets.py` under atheris, which keeps the inputs that reach new code.

`test_fuzz_files.py` damages blindly; here libFuzzer changes one file of a whole input at a time, for some minutes, and goes on from what
reached new branches of this package's and rosbags' Python. Native readers and compiled kernels show it nothing. An input that ends
otherwise than in a result or an error of the project's own is kept in `build/guided/found/`, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "guided"
PACKAGES = FOLDER / "packages"  # where `make nightly-guided` installs atheris
# What parses in Python; where the others' parsing is native, blind damage does as well.
TARGETS = ("pcd", "robotcar scan", "robotcar camera", "run", "last pose", "atlas", "mcap bag", "salvage", "route", "robotcar tables",
           "kitti", "kitti raw")  # fmt: skip
LARGEST_INPUT, ALLOWANCE_MB, HANGS_S = 1 << 16, 3072, 120
DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+)")


def kernels() -> list[str]:
    """Modules whose functions numba compiles: it cannot compile what atheris has instrumented."""
    package = ROOT / "urban_map_loc"
    found = [path for path in package.rglob("*.py") if "numba" in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found if path.name != "__init__.py"]


def fuzz_file(target: str, seed: int, name: str, seconds: int) -> None:
    """Change one file of a target's whole input for so long; ends the process."""
    sys.path.insert(0, str(PACKAGES))
    import atheris

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=["urban_map_loc", "rosbags"], exclude=kernels()):
        from fuzz_targets import TARGETS as ALL

        from urban_map_loc.errors import UrbanMapLocError

        make, read = ALL[target].seeds[seed]
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            make(folder)
            ALL[target].read(folder / read)
            corpus = FOLDER / "corpus" / f"{target}_{seed}_{name}".replace("/", "_").replace(" ", "_")
            corpus.mkdir(parents=True, exist_ok=True)
            (corpus / "whole").write_bytes((folder / name).read_bytes())
            (FOLDER / "found").mkdir(exist_ok=True)
            warnings.simplefilter("error", RuntimeWarning)

            def one(data: bytes) -> None:
                (folder / name).write_bytes(data)
                with suppress(UrbanMapLocError):
                    ALL[target].read(folder / read)

            options = [f"-max_total_time={seconds}", f"-max_len={LARGEST_INPUT}", f"-rss_limit_mb={ALLOWANCE_MB}", f"-timeout={HANGS_S}"]
            atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={FOLDER}/found/{corpus.name}_", str(corpus)], one)
            atheris.Fuzz()


def files(target: str) -> list[tuple[int, str]]:
    """Every file of a target's whole inputs: which input, and the file's path in it."""
    from fuzz_targets import TARGETS as ALL

    found = []
    for seed, (make, _) in enumerate(ALL[target].seeds):
        with tempfile.TemporaryDirectory() as made:
            make(Path(made))
            found += [(seed, str(f.relative_to(made))) for f in sorted(Path(made).rglob("*")) if f.is_file()]
    return found


def main() -> int:
    """Fuzz some targets and say how it went; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET", help="default: all that parse in Python")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target, shared by its files (default %(default)g)")
    parser.add_argument("--file", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.file:
        seed, name, seconds = options.file
        fuzz_file(options.targets[0], int(seed), name, int(seconds))
    found = False
    for target in options.targets:
        which = files(target)
        for seed, name in which:
            seconds = max(10, round(60.0 * options.minutes / len(which)))
            command = [sys.executable, __file__, target, "--file", str(seed), name, str(seconds)]
            with tempfile.TemporaryDirectory() as made:  # the process ends without tidying up
                environment = {**os.environ, "TMPDIR": made}
                ended = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
                )
            done = DONE.search(ended.stdout)
            if ended.returncode or not done:
                found = True
                print(f"{target}, {name}: FOUND\n{ended.stdout[-3000:]}", flush=True)
            else:
                print(f"{target}, {name}: {done[1]} inputs, {done[2]} branches, nothing", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
