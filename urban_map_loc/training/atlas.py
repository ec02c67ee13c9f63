# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training an atlas: every region its model, in one process or many, on one machine or many; see `claims.py` for how they share."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from urban_map_loc.area.atlas import Atlas, Region, read_atlas
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.config import AtlasTrainingConfig, TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError, UrbanMapLocError
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.inference import choose_device
from urban_map_loc.reading import object_of
from urban_map_loc.settings import to_dict
from urban_map_loc.training.claims import claim
from urban_map_loc.training.run import train
from urban_map_loc.training.trainer import start_in_words
from urban_map_loc.training.warm_start import start_of

Progress = Callable[[int, int], None]

# Pause between two looks at what others have finished; longer where a look takes long, as at thousands of files on a network.
LEAST_PAUSE_S, LOOKING_SHARE = 0.2, 0.05
INTERRUPTED = 130


@dataclass(frozen=True)
class Job:
    """What every process that trains an atlas is told; `train_atlas` has the arguments' meaning."""

    folder: Path
    config: TrainConfig
    device: str
    resume: bool
    start: str | None
    logs: Path | None
    sharing: AtlasTrainingConfig


def train_atlas(
    atlas: Atlas,
    config: TrainConfig,
    *,
    jobs: int = 1,
    device: str = "auto",
    resume: bool = False,
    start: str | None = None,
    logs: Path | None = None,
    sharing: AtlasTrainingConfig | None = None,
    progress: Progress | None = None,
) -> int:
    """Train all regions that have no model of these settings yet; returns how many had one before.

    The same call may run on several machines that share the folder: each takes regions until none is left, and ends when all are done.

    Args:
        jobs: processes on this machine.
        device, resume, logs: of each region's training, see `train`.
        start: the model to begin with, see `start_of`.
        sharing: how processes tell each other what they do.
        progress: called with the regions done and their number.

    Raises:
        ConfigurationError: a head that cannot be ranked across regions.
        ModelError: regions could not be trained; the others are.
        KeyboardInterrupt: what is done is kept.
    """
    if config.network.head != "cells":
        raise ConfigurationError("the regions of an atlas are ranked together, which needs places to compare; train it with --head cells")
    begins_with = start_of(start, config)
    kept = sum(is_trained(region, config, begins_with) for region in atlas.regions)
    told = progress or (lambda done, total: None)
    job = Job(atlas.folder, config, device, resume, start, logs, sharing or AtlasTrainingConfig())
    if jobs == 1:
        _own_gpu(device, 0)
        failed = work(job, told)
        if failed:
            name, reason = next(iter(failed.items()))
            raise ModelError(f"{len(failed)} of {len(atlas.regions)} regions could not be trained, such as {name}: {reason}")
    else:
        _supervise(atlas, jobs, job, told)
    return kept


def is_trained(region: Region, config: TrainConfig, start: Checkpoint | None) -> bool:
    """Whether a region has a model of its area, of these settings and of this start; seen at once, its tensors are not read."""
    try:
        with safe_open(region.model, framework="pt") as file:
            metadata = file.metadata() or {}
        return bool(
            metadata["area_hash"] == region.area_hash
            and object_of(metadata["config"]) == json.loads(json.dumps(to_dict(config)))
            and object_of(metadata["summary"]).get("start") == start_in_words(start)
        )
    except (SafetensorError, OSError, KeyError, ValueError):
        return False


def work(job: Job, progress: Progress) -> dict[str, str]:
    """Train regions until all are done, by this process or by others; returns why some could not be, by their name."""
    atlas, start = read_atlas(job.folder), start_of(job.start, job.config)
    total, left, failed = len(atlas.regions), list(atlas.regions), dict[str, str]()
    while left:
        began, idle = time.monotonic(), True
        for region in list(left):
            try:
                if not is_trained(region, job.config, start) and (mine := claim(_claim_file(region), job.sharing)):
                    idle = False
                    with mine:
                        if not is_trained(region, job.config, start):
                            _train(region, job, start)
            except UrbanMapLocError as error:
                failed[region.name] = str(error)
            if region.name in failed or is_trained(region, job.config, start):
                left.remove(region)
                progress(total - len(left), total)
        if left and idle:
            _pause(time.monotonic() - began)
    return failed


def _pause(looking_s: float) -> None:
    """Wait between two looks that take so long."""
    time.sleep(max(LEAST_PAUSE_S, looking_s / LOOKING_SHARE))


def _train(region: Region, job: Job, start: Checkpoint | None) -> None:
    """Train a region's model, and make the rasters that the localizer will look for."""
    area = read_area(region.area)
    BuildingRaster.from_area(area, job.config.raster, raster_cache(region.area), on_grid=True)
    logs = job.logs / region.name if job.logs else None
    train(area, job.config, region.model, device=job.device, resume=job.resume, logs=logs, start=start)


def _claim_file(region: Region) -> Path:
    return region.model.with_name(region.model.name + ".claim")


def _own_gpu(device: str, number: int) -> None:
    """Take the GPU of this process's number, which `torchrun` may have given; its processes train regions each for itself."""
    number = int(os.environ.pop("LOCAL_RANK", number))
    if choose_device(device).type == "cuda":
        torch.cuda.set_device(number % torch.cuda.device_count())


def _supervise(atlas: Atlas, jobs: int, job: Job, progress: Progress) -> None:
    """Have so many processes work; one that dies is replaced."""
    processes = multiprocessing.get_context("spawn")
    start = start_of(job.start, job.config)

    def begin(number: int) -> BaseProcess:
        process = processes.Process(target=_process, args=(number, jobs, job), name=f"regions-{number}", daemon=True)
        process.start()
        return process

    workers = {number: begin(number) for number in range(jobs)}
    left, died, looking_s = list(atlas.regions), 0, 0.0
    try:
        while workers:
            _pause(looking_s)
            began = time.monotonic()
            done = [region for region in left if is_trained(region, job.config, start)]
            looking_s = time.monotonic() - began
            if done:
                left, died = [region for region in left if region not in done], 0
            progress(len(atlas.regions) - len(left), len(atlas.regions))
            for number, process in list(workers.items()):
                if process.exitcode is None:
                    continue
                del workers[number]
                if process.exitcode == INTERRUPTED:
                    raise KeyboardInterrupt
                died += process.exitcode != 0
                if process.exitcode != 0 and died <= job.sharing.attempts * jobs:
                    workers[number] = begin(number)
    except KeyboardInterrupt:
        for process in workers.values():
            process.terminate()
        for process in workers.values():
            process.join()
        raise KeyboardInterrupt(f"with {len(left)} regions left; the same command goes on with them") from None
    if left:
        raise ModelError(f"{len(left)} of {len(atlas.regions)} regions were not trained, such as {left[0].name}; the lines above say why")


def _process(number: int, jobs: int, job: Job) -> None:
    """What each process does: as many threads as its share of the cores, and a line about each region that failed."""
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // jobs))
    try:
        _own_gpu(job.device, number)
        for name, reason in work(job, lambda done, total: None).items():
            print(f"region {name}: {reason}", file=sys.stderr)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except UrbanMapLocError as error:
        print(error, file=sys.stderr)
