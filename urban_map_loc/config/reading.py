# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How large a file may be that is read as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class ReadingConfig(Section):
    """How large a file may be: a larger one is refused before it fills the memory.

    Each can be set by an environment variable, such as `URBAN_MAP_LOC_LARGEST_CLOUD_MB`, since files are read in places that know no
    settings.
    """

    largest_cloud_mb: float = setting(
        1024.0, "a cloud (.bin, .pcd, .label) or a camera's table: 64 million points of KITTI's, 500 times a sweep", unit="MB", low=1e-3
    )
    largest_table_mb: float = setting(
        256.0, "text of numbers (CSV, KITTI's): its rows take up to twenty times as much in memory; a day of poses at 50 Hz has 200 MB",
        unit="MB", low=1e-3,
    )  # fmt: skip
    largest_note_mb: float = setting(
        16.0, "JSON and YAML that describe something (run.json, metadata.yaml, the last pose); a bag of 10,000 files has 3 MB",
        unit="MB", low=1e-3,
    )  # fmt: skip
    largest_frames_mb: float = setting(
        4096.0, "what the localizer thought at each cloud of a run (frames.jsonl.gz), unpacked: a day has 4000 MB", unit="MB", low=1e-3
    )
    largest_picture_mb: float = setting(64.0, "a picture's file; one of KITTI has 0.9 MB", unit="MB", low=1e-3)
    largest_picture_mpx: float = setting(100.0, "a picture's pixels: a small file may unpack to any size", unit="Mpx", low=1e-3)
    largest_model_mb: float = setting(8192.0, "a model: 50 MB per square kilometre of streets at most", unit="MB", low=1e-3)
    largest_area_mb: float = setting(8192.0, "an area: a million buildings take about 500 MB", unit="MB", low=1e-3)
    largest_chunk_mb: float = setting(
        1024.0, "a chunk or a message of a bag once it is unpacked: recorders write chunks of some MB, but never less than a cloud",
        unit="MB", low=1e-3,
    )  # fmt: skip
    largest_unpacked_mb: float = setting(
        200_000.0, "a storage file of a bag that is compressed as a whole (.zstd), unpacked into the temporary folder", unit="MB", low=1e-3
    )
    longest_list: int = setting(
        1_000_000, "entries of YAML once its references are followed: a few lines that refer to each other may stand for billions", low=1
    )
