# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The process that reads damaged inputs for `fuzz_input.Reader`: a request a line on stdin, a reply a line on stdout (JSON both).

Its argument is the memory [MB] that a case may take beyond what the process holds. Warnings of numpy about overflow and NaN are errors:
damage has to be noticed, not computed with.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from urban_map_loc.errors import UrbanMapLocError

PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    allowance = int(sys.argv[1]) << 20
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no reply
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)
    logging.disable(logging.CRITICAL)
    from fuzz_structures import STRUCTURES
    from fuzz_targets import TARGETS

    warm: set[str] = set()
    for line in sys.stdin:
        request = json.loads(line)
        name = request["target"]
        if request["do"] == "seeds":
            reply = whole(TARGETS[name], Path(request["folder"]))
        elif request["do"] == "read":
            reply = bounded(partial(TARGETS[name].read, Path(request["path"])), allowance)
        else:
            # The first case loads and compiles what reading needs.
            reply = bounded(partial(STRUCTURES[name], request["value"]), allowance if name in warm else 16 * allowance)
            warm.add(name)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def whole(target: Any, folder: Path) -> dict[str, Any]:
    """Make a target's whole inputs and read each, which loads and compiles what reading needs."""
    seeds = []
    try:
        for k, (make, read) in enumerate(target.seeds):
            (folder / str(k)).mkdir(parents=True)
            make(folder / str(k))
            target.read(folder / str(k) / read)
            seeds.append((str(k), read))
    except Exception:
        return {"outcome": "failed", "text": f"a whole input is refused: {traceback.format_exc()}"}
    return {"outcome": "result", "seeds": seeds}


def bounded(read: Callable[[], object], allowance: int) -> dict[str, Any]:
    """Outcome of reading, with a bound on the address space."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    held = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
    resource.setrlimit(resource.RLIMIT_AS, (held + allowance, hard))
    try:
        read()
    except UrbanMapLocError as error:
        return {"outcome": "refused", "text": str(error)}
    except BaseException:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        return {"outcome": "failed", "text": traceback.format_exc()}
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return {"outcome": "result"}


if __name__ == "__main__":
    main()
