# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What all tests share: data, ROS in a domain of its own, settings of the libraries that test."""

from __future__ import annotations

import itertools
import os
import tempfile
import zlib
from pathlib import Path

import hypothesis
import pytest

from urban_map_loc.ros.middleware import prepare_environment

ROOT = Path(__file__).resolve().parents[1]

prepare_environment()
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"  # message setters check types: an int in a float field is an error here
# open3d brings a TBB that is too old for numba, which says so in a warning, an error here: whichever test comes first must not matter.
os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp workqueue tbb")
os.environ["ROS_LOG_DIR"] = str(Path(tempfile.gettempdir()) / f"urban_map_loc_test_log_{os.getuid()}")

# No deadline: a shared machine is slow at times. The same examples every time: a red test stays red until it is mended.
hypothesis.settings.register_profile("urban_map_loc", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("urban_map_loc")

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_RUN = zlib.crc32(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid())).encode())
_COUNT = itertools.count()


def new_domain() -> int:
    """A ROS domain that no other test of this run uses, and hardly one of another run (1 to 100: safe on every system)."""
    return 1 + (_RUN + _WORKER + 16 * next(_COUNT)) % 100


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; tests that need it are skipped where there is none."""
    given = os.environ.get("URBAN_MAP_LOC_DATA")
    path = Path(given) if given else ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no real data: {path} does not exist; set URBAN_MAP_LOC_DATA to its folder")
    return path


@pytest.fixture
def ros_environment(tmp_path):
    """Environment of a child process that speaks ROS in a domain of its own."""
    return {**os.environ, "ROS_DOMAIN_ID": str(new_domain()), "ROS_LOG_DIR": str(tmp_path / "ros_log")}


@pytest.fixture
def ros_context():
    """An initialised ROS context in a domain of its own."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=new_domain())
    yield context
    rclpy.try_shutdown(context=context)


@pytest.fixture
def bench(ros_context):
    """Makes nodes over DDS with what talks to them (`ros_bench.Bench`); a localizer whose answers are known unless one is given."""
    from ros_bench import Bench, FakeLocalizer

    made = []

    def make(localizer=None, **keywords):
        made.append(Bench(ros_context, localizer or FakeLocalizer(), **keywords))
        return made[-1]

    yield make
    for b in made:
        b.close()


@pytest.fixture
def small(monkeypatch):
    """Bounds of a megabyte, as a user would set them."""
    for bound in ("cloud", "table", "note", "picture", "model", "area", "chunk", "unpacked", "frames"):
        monkeypatch.setenv(f"URBAN_MAP_LOC_LARGEST_{bound.upper()}_MB", "1")
