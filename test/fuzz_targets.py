# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed as files: for each target tiny whole inputs, made by the writers of the formats, and the reading to its end.

A new file format gets a line in `TARGETS`; `test_fuzz_files.py` does the rest. Imports wait inside the functions: the process that
reads loads only what its cases need.
"""

from __future__ import annotations

import bz2
import gzip
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_drives import DRIVES
from fuzz_seeds import Make, Target, write

# --- clouds ---------------------------------------------------------------------------------------------------------------------------


def _scan(folder: Path) -> None:
    points = np.random.default_rng(0).normal(0.0, 10.0, (12, 4)).astype("<f4")
    write(folder / "a.bin", points.tobytes())
    write(folder / "a.label", np.full(12, 50, "<u4").tobytes())


def _pcd(data: str) -> Make:
    def make(folder: Path) -> None:
        from test_cloud_files import pcd, xyz

        columns = xyz() | {"label": np.arange(len(xyz()["x"])).astype("<u2")}
        write(folder / "a.pcd", pcd(columns, data))

    return make


def _read_cloud(path: Path) -> None:
    from urban_map_loc.cloud.files import read_cloud_file

    labels = path.with_suffix(".label")
    cloud = read_cloud_file(path, labels if labels.is_file() else None)
    assert cloud.cloud.points.shape[1] == 3


def _picture(folder: Path) -> None:
    from robotcar_files import png

    write(folder / "velodyne_left.png", png(np.random.default_rng(0).integers(0, 255, (106, 8), np.uint8)))


def _robotcar_scan(sensor: str, kind: str) -> tuple[Make, str]:
    return (lambda folder: write(folder / f"{sensor}.bin", np.linspace(1.0, 9.0, 12).astype(kind).tobytes()), f"{sensor}.bin")


def _read_robotcar_scan(path: Path) -> None:
    from urban_map_loc.bags.robotcar_scans import read_scan

    read_scan(path.stem, path.name, path.read_bytes())


def _undistortion(folder: Path) -> None:
    write(folder / "lut.bin", np.linspace(0.0, 3.0, 2 * 4 * 4).astype("<f8").tobytes())
    write(folder / "camera.txt", ("400 400 2 2\n" + "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n").encode())


def _read_camera(folder: Path) -> None:
    from urban_map_loc.cloud.camera import read_robotcar_camera, read_undistortion_table, undistort_image

    read_robotcar_camera(folder / "camera.txt")
    undistort_image(np.zeros((4, 4), np.uint8), read_undistortion_table(folder / "lut.bin", 4, 4))


# --- maps -----------------------------------------------------------------------------------------------------------------------------


def _osm_text() -> str:
    from osm_documents import STREET, document, relation, square, way

    ways = way(1, square(1, 1), building="yes", height="7.5 m") + way(2, square(4, 4, 3)) + way(3, square(5, 5)) + STREET
    ways += (
        way(4, [(0, 0), (5, 0)], barrier="wall") + way(5, square(7, 1), building__part="yes") + way(6, [(0, 8), (9, 8)], highway="service")
    )
    return document(
        ways, relation(7, [(2, "outer"), (3, "inner")], building="yes"), '<bounds minlat="50" minlon="8" maxlat="50.01" maxlon="8.01"/>'
    )


def _osm_xml(folder: Path) -> None:
    write(folder / "map.osm", _osm_text().encode())


def _osm_packed(suffix: str) -> Make:
    return lambda folder: write(folder / f"map.osm.{suffix}", {"gz": gzip, "bz2": bz2}[suffix].compress(_osm_text().encode()))


def _osm_pbf(compression: str) -> Make:
    def make(folder: Path) -> None:
        import osmium

        _osm_xml(folder)
        with osmium.SimpleWriter(osmium.io.File(str(folder / "map.osm.pbf"), f"pbf,pbf_compression={compression}")) as out:
            for item in osmium.FileProcessor(str(folder / "map.osm")):
                out.add(item)
        (folder / "map.osm").unlink()

    return make


def _read_osm(path: Path) -> None:
    from urban_map_loc.area.osm import read_osm

    _use_area(read_osm(path))


def _use_area(area: Any) -> None:
    assert len(area.content_hash) == 64
    assert len(area.bounds) == 4
    assert len(area.tunnel_lines) == len(area.tunnels)
    assert len(area.barrier_lines) == len(area.barriers)


def _geopackage(folder: Path) -> None:
    from runs import tiny_area

    from urban_map_loc.area.geopackage import write_area

    write_area(tiny_area(), folder / "area.gpkg")


def _read_geopackage(path: Path) -> None:
    from urban_map_loc.area.geopackage import read_area

    _use_area(read_area(path))


# --- models ---------------------------------------------------------------------------------------------------------------------------


def _checkpoint(folder: Path) -> None:
    from test_mapnet_checkpoint import checkpoint

    from urban_map_loc.mapnet.checkpoint import save_checkpoint

    save_checkpoint(checkpoint(rings=4, headings=4, view_size=16), folder / "m.safetensors")


def _read_checkpoint(path: Path) -> None:
    from urban_map_loc.mapnet.checkpoint import load_checkpoint

    load_checkpoint(path).network.hypotheses(np.zeros((96, 96), np.uint8), 2)


def _segmentation(folder: Path) -> None:
    import torch

    from urban_map_loc.cloud.fcn import Fcn, FcnNetwork
    from urban_map_loc.cloud.fcn_file import save_fcn
    from urban_map_loc.config import FcnConfig

    torch.manual_seed(0)
    save_fcn(Fcn(FcnNetwork(), FcnConfig()), folder / "fcn.safetensors")


def _read_segmentation(path: Path) -> None:
    from urban_map_loc.cloud.fcn_file import load_fcn

    load_fcn.cache_clear()
    load_fcn(path)


def _training_parts() -> tuple[Any, Any]:
    import torch

    module = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return module, optimizer


def _training_state(folder: Path) -> None:
    from urban_map_loc.training.state import save_state

    module, optimizer = _training_parts()
    save_state(folder / "m.resume", {"network": module}, optimizer, {"identity": "a", "step": "3"})


def _read_training_state(path: Path) -> None:
    from urban_map_loc.training.state import load_state

    module, optimizer = _training_parts()
    load_state(path, {"network": module}, optimizer, "a")


# --- what the project keeps for itself --------------------------------------------------------------------------------------------------


def _run(folder: Path) -> None:
    from runs import write_run

    write_run(folder)
    for name in ("area.gpkg", "bag", "area.gpkg.raster"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).unlink(missing_ok=True)


def _read_run(path: Path) -> None:
    from runs import tiny_area

    from urban_map_loc.evaluation.extent import roads_rms_spread
    from urban_map_loc.evaluation.metrics import evaluate_arrays
    from urban_map_loc.evaluation.report import write_report
    from urban_map_loc.evaluation.run_files import read_run

    run, area = read_run(path), tiny_area()
    truth = np.full((len(run.estimates.stamp_s), 3), np.nan)
    metrics = evaluate_arrays(run.estimates, run.single_scan, truth, area.bounds, roads_rms_spread(area.roads))
    metrics |= {"truth": None}
    with tempfile.TemporaryDirectory() as folder:
        write_report(run, metrics, truth, area, Path(folder, "report.html"))


def _last_pose(folder: Path) -> None:
    kept = {"stamp_s": 1.0, "lat_deg": 49.0, "lon_deg": 8.0, "yaw_enu_rad": 0.5, "covariance": np.eye(3).tolist()}
    write(folder / "pose.json", json.dumps(kept).encode())


def _read_last_pose(path: Path) -> None:
    from urban_map_loc.config import PriorConfig
    from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
    from urban_map_loc.localization.last_pose import load_last_pose

    prior = load_last_pose(path, LocalTangentPlane(GeoPoint(49.0, 8.0)), PriorConfig())
    assert prior is None or np.linalg.eigvalsh(prior.covariance)[0] > 0.0


def _atlas(folder: Path) -> None:
    region = {"name": "r00_c00", "core_m": [-50.0, -50.0, 50.0, 50.0], "area": "a.gpkg", "area_hash": "0" * 64, "model": "a.safetensors"}
    index = {
        "format": "urban_map_loc atlas",
        "format_version": 1,
        "datum_deg": [49.0, 8.0],
        "overlap_m": 150.0,
        "regions": [region, region],
    }
    write(folder / "atlas" / "atlas.json", json.dumps(index).encode())


def _read_atlas(path: Path) -> None:
    from urban_map_loc.area.atlas import read_atlas

    atlas = read_atlas(path)
    assert len(atlas.owner(np.zeros((2, 2)))) == 2
    assert atlas.content_hash
    assert len(atlas.bounds) == 4


SCANS = tuple(_robotcar_scan(sensor, kind) for sensor, kind in (("lms_front", "<f8"), ("ldmrs", "<f8"), ("velodyne_left", "<f4")))

TARGETS = {
    "scan": Target(((_scan, "a.bin"),), _read_cloud),
    "pcd": Target(tuple((_pcd(data), "a.pcd") for data in ("ascii", "binary", "binary_compressed")), _read_cloud),
    "robotcar scan": Target((*SCANS, (_picture, "velodyne_left.png")), _read_robotcar_scan),
    "robotcar camera": Target(((_undistortion, "."),), _read_camera),
    "osm": Target(((_osm_xml, "map.osm"), (_osm_packed("gz"), "map.osm.gz"), (_osm_packed("bz2"), "map.osm.bz2")), _read_osm),
    "pbf": Target(((_osm_pbf("none"), "map.osm.pbf"), (_osm_pbf("zlib"), "map.osm.pbf")), _read_osm),
    "geopackage": Target(((_geopackage, "area.gpkg"),), _read_geopackage),
    "checkpoint": Target(((_checkpoint, "m.safetensors"),), _read_checkpoint),
    "segmentation": Target(((_segmentation, "fcn.safetensors"),), _read_segmentation),
    "training state": Target(((_training_state, "m.resume"),), _read_training_state),
    "run": Target(((_run, "run"),), _read_run),
    "last pose": Target(((_last_pose, "pose.json"),), _read_last_pose),
    "atlas": Target(((_atlas, "atlas"),), _read_atlas),
    **DRIVES,
}  # fmt: skip
