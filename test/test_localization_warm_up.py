# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The first cloud is answered as fast as the rest: loading compiles all that the robot's kernels need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own, since other tests compile as well.
SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from drives import straight, untrained
from towns import crossing
from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cloud import columns, deskew, extraction, ground, rays, walls
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization import kernels
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.tile import grid

def compiled():
    modules = (columns, deskew, extraction, ground, rays, walls, kernels, grid)
    kernels_of = {f"{m.__name__}.{n}": f for m in modules for n, f in vars(m).items()}
    return {n: len(f.signatures) for n, f in kernels_of.items() if isinstance(f, Dispatcher)}

labelled = sys.argv[1] == "labelled"
area = crossing()
moments = list(straight(area, Pose2(-70.0, -1.0, 0.0), 30.0))
path = Path(sys.argv[2])
write_area(area, path)
before_loading = compiled()
localizer = Localizer.of_area(area, untrained(area), LocalizerConfig(), path)
before = compiled()
for moment in moments:
    localizer.add_odometry(moment.stamp_s, moment.T_odom_base)
    localizer.add_cloud(moment.cloud if labelled else replace(moment.cloud, label=None))
assert sum(before.values()) > sum(before_loading.values()), "loading compiled nothing: is this test looking at the right kernels?"
late = {name: (before[name], count) for name, count in compiled().items() if count != before[name]}
print(localizer.state, late)
assert not late, late
"""


@pytest.mark.timeout(300)  # compiling anew takes its time on a slow machine
@pytest.mark.parametrize("kind", ["labelled", "geometric"])
def test_nothing_is_left_to_compile_for_the_first_cloud(kind: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", SCRIPT, kind, str(tmp_path / "area.gpkg")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert kind == "geometric" or done.stdout.startswith("locked")
