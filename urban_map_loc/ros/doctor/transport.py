# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checks of the way from one process to another: settings, shared memory, and large clouds really sent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from urban_map_loc.config import DoctorConfig
from urban_map_loc.ros.doctor.finding import Check, Finding, note, ok, wrong
from urban_map_loc.ros.middleware import PROFILE_NAME, PROFILE_VARIABLES, log_folder_if_homeless, shared_file

SHARED_MEMORY = Path("/dev/shm")
RECEIVE_BUFFER = Path("/proc/sys/net/core/rmem_max")


def _exports() -> str:
    profile = shared_file("config", PROFILE_NAME) or f"config/{PROFILE_NAME}"
    return (
        "; ".join(f"export {name}={profile}" for name in PROFILE_VARIABLES)
        + "; in every shell that starts a node that sends or takes clouds"
    )


def settings(config: DoctorConfig) -> Iterator[Finding]:
    """The environment variables that decide who hears whom, and how large clouds travel."""
    names = ("ROS_DOMAIN_ID", "RMW_IMPLEMENTATION", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY", "FASTDDS_BUILTIN_TRANSPORTS")
    given = {name: value for name in names if (value := os.environ.get(name))}
    yield ok(", ".join(f"{name}={value}" for name, value in given.items()) or "no ROS settings: domain 0, the default middleware")
    if given.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper() == "OFF":
        yield wrong("ROS_AUTOMATIC_DISCOVERY_RANGE=OFF: nodes find nobody", "set it to LOCALHOST or SUBNET")


def large_clouds_profile(config: DoctorConfig) -> Iterator[Finding]:
    """Fast DDS ignores a profile file that is not there without a word."""
    if "fastrtps" not in os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"):
        yield ok("not needed: the middleware is not Fast DDS")
        return
    given = {name: value for name in PROFILE_VARIABLES if (value := os.environ.get(name))}
    for name, value in given.items():
        if not Path(value).is_file():
            yield wrong(f"{name} names {value}, which does not exist; Fast DDS ignores that", _exports())
            return
    if given:
        yield ok(", ".join(f"{name}={value}" for name, value in given.items()))
    else:
        text = "none is set in this shell; localizer_node, `play` and the launch files set their own, a sensor driver does not"
        yield note(text, _exports())


def shared_memory(config: DoctorConfig) -> Iterator[Finding]:
    """Room for the clouds that are under way."""
    if not SHARED_MEMORY.is_dir():
        yield note("no /dev/shm: clouds go through the network interface")
        return
    free_mb = shutil.disk_usage(SHARED_MEMORY).free / 1e6
    left = len(list(SHARED_MEMORY.glob("fastrtps_*"))) + len(list(SHARED_MEMORY.glob("fastdds_*")))
    text = f"{free_mb:.0f} MB free in /dev/shm, {left} files of Fast DDS"
    if free_mb < 16 * config.probe_bytes / 1e6:
        yield wrong(text, "remove what killed processes left (/dev/shm/fastrtps_*), or give a container more: `--shm-size=512m`")
    else:
        yield ok(text)


def receive_buffer(config: DoctorConfig) -> Iterator[Finding]:
    """What the kernel keeps of a cloud that comes over the network in a thousand pieces."""
    if not RECEIVE_BUFFER.is_file():
        return
    size = int(RECEIVE_BUFFER.read_text())
    if size < config.probe_bytes:
        text = f"net.core.rmem_max is {size} bytes, less than a cloud: those from other machines may be lost"
        yield note(text, "`sudo sysctl -w net.core.rmem_max=16777216` where the sensor is on another machine")
    else:
        yield ok(f"net.core.rmem_max is {size} bytes")


def large_clouds(config: DoctorConfig) -> Iterator[Finding]:
    """Clouds of megabytes between two processes, best effort, with the settings of this shell."""
    try:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from rclpy.signals import SignalHandlerOptions
        from sensor_msgs.msg import PointCloud2
    except ImportError:
        return  # said by `ros installation`
    log_folder_if_homeless()
    topic = f"/urban_map_loc_doctor_{os.getpid()}"
    command = [sys.executable, "-m", "urban_map_loc.ros.doctor.talker", topic, config.probe_bytes, config.probe_count]
    command += [config.probe_period_s, config.probe_start_s]
    talker = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    context = rclpy.Context()
    arrived: list[float] = []
    try:
        rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
        node = Node(topic.strip("/"), context=context, use_global_arguments=False, start_parameter_services=False)
        profile = QoSProfile(depth=config.probe_count, reliability=ReliabilityPolicy.BEST_EFFORT)
        node.create_subscription(PointCloud2, topic, lambda _: arrived.append(time.monotonic()), profile, raw=True)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        deadline = time.monotonic() + 2.0 * config.probe_start_s + config.probe_count * config.probe_period_s
        while talker.poll() is None and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.05)
        executor.shutdown()
        node.destroy_node()
    finally:
        talker.kill()
        _, complaint = talker.communicate()
        rclpy.try_shutdown(context=context)
    yield _judged(len(arrived), talker.returncode, complaint, config)


def _judged(arrived: int, status: int, complaint: str, config: DoctorConfig) -> Finding:
    size = f"{config.probe_bytes / 1e6:g} MB"
    if status == 0 and arrived >= (1.0 - config.probe_lost) * config.probe_count:
        return ok(f"{arrived} of {config.probe_count} clouds of {size} arrived between two processes, best effort")
    if status == 0:
        text = f"{config.probe_count - arrived} of {config.probe_count} clouds of {size} are lost between two processes, best effort"
        return wrong(text, f"use the profile for large clouds: {_exports()}")
    if not arrived and status in (1, -signal.SIGKILL) and not complaint.strip():  # it gave up, or we did
        text = f"two processes of this machine did not find each other within {config.probe_start_s:g} s"
        return wrong(text, "check ROS_DOMAIN_ID, ROS_AUTOMATIC_DISCOVERY_RANGE, a firewall, and that the interface lo is up")
    last = (complaint.strip().splitlines() or [f"ended with status {status}"])[-1]
    return wrong(
        f"the probe's second process failed: {last}", "run `python -m urban_map_loc.ros.doctor.talker /x 1000 1 0.1 1` to see all it says"
    )


CHECKS: tuple[Check, ...] = (settings, large_clouds_profile, shared_memory, receive_buffer, large_clouds)
