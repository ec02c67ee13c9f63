# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Clouds from files: KITTI .bin and .label, PCD of every kind, and what is wrong with them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import NO_LABEL, WholeCloud
from urban_map_loc.cloud.files import read_cloud_file
from urban_map_loc.cloud.pcd import _unpack, read_pcd
from urban_map_loc.errors import CloudError

KINDS = (("I", "i", (1, 2, 4)), ("U", "u", (1, 2, 4)), ("F", "f", (4, 8)))
NUMPY = {f"<{code}{size}": (kind, size) for kind, code, sizes in KINDS for size in sizes}
POINTS = np.array([[1.5, -2.0, 0.25], [np.nan, 0.0, 1.0], [30.0, 40.0, -1.75]], np.float32)
LABEL = np.array([50, 0, 40])


def literal_lzf(plain: bytes) -> bytes:
    """LZF that repeats nothing: runs of at most 32 bytes as they are."""
    return b"".join(bytes([len(run) - 1]) + run for run in (plain[k : k + 32] for k in range(0, len(plain), 32)))


def pcd(columns: dict[str, NDArray], data: str, counts: dict[str, int] | None = None, **lines: str) -> bytes:
    """A PCD file of columns `(N,)`, or `(N, C)` where `counts` says so; `lines` replace those of the header."""
    counts = dict.fromkeys(columns, 1) | (counts or {})
    count = len(next(iter(columns.values())))
    kinds = [NUMPY[c.dtype.str.replace("|", "<")] for c in columns.values()]
    header = {
        "VERSION": "0.7", "FIELDS": " ".join(columns), "SIZE": " ".join(str(s) for _, s in kinds), "TYPE": " ".join(t for t, _ in kinds),
        "COUNT": " ".join(str(counts[n]) for n in columns), "WIDTH": str(count), "HEIGHT": "1", "VIEWPOINT": "0 0 0 1 0 0 0",
        "POINTS": str(count), "DATA": data,
    } | lines  # fmt: skip
    text = "# .PCD v0.7\n" + "".join(f"{name} {value}\n" for name, value in header.items() if value)
    if data == "ascii":
        body = "\n".join(" ".join(str(v) for c in columns.values() for v in np.atleast_1d(c[i])) for i in range(count)).encode()
    elif data == "binary":
        body = b"".join(c[i].tobytes() for i in range(count) for c in columns.values())
    else:
        plain = b"".join(c.tobytes() for c in columns.values())
        packed = literal_lzf(plain)
        body = struct.pack("<II", len(packed), len(plain)) + packed
    return text.encode() + body


def xyz(order: str = "xyz", kind: str = "<f4") -> dict[str, NDArray]:
    return {name: POINTS[:, "xyz".index(name)].astype(kind) for name in order}


def written(tmp_path: Path, content: bytes, name: str = "a.pcd") -> Path:
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_pcd_with_fields_in_any_order(tmp_path, data, kind):
    columns = {"intensity": np.array([1, 2, 3], "<u2"), **xyz("zxy", kind), "normal": np.zeros((3, 4), "<f4"), "label": LABEL.astype("<u4")}
    cloud = read_cloud_file(written(tmp_path, pcd(columns, data, {"normal": 4})))
    np.testing.assert_array_equal(cloud.points, POINTS)
    assert cloud.points.dtype == np.float32
    assert cloud.label.tolist() == [50, NO_LABEL, 40]
    assert cloud.finite.tolist() == [True, False, True]
    assert cloud.cloud.points.tolist() == POINTS[[0, 2]].tolist()
    assert cloud.cloud.label.tolist() == [50, 40]


@pytest.mark.parametrize("data", ["ascii", "binary", "binary_compressed"])
def test_an_empty_pcd(tmp_path, data):
    cloud = read_cloud_file(written(tmp_path, pcd({n: c[:0] for n, c in xyz().items()}, data)))
    assert cloud.points.shape == (0, 3)


def test_older_headers(tmp_path):
    """Without COUNT and POINTS, an organised cloud, Windows line ends, and padding that PCL calls `_`."""
    columns = {"x": POINTS[:2, 0], "_": np.zeros((2, 3), "<u1"), "y": POINTS[:2, 1], "z": POINTS[:2, 2]}
    organised = pcd(columns, "binary", {"_": 3}, WIDTH="1", HEIGHT="2", POINTS="")
    np.testing.assert_array_equal(read_cloud_file(written(tmp_path, organised)).points, POINTS[:2])
    plain = pcd(xyz(), "ascii", COUNT="").replace(b"\n", b"\r\n")
    np.testing.assert_array_equal(read_cloud_file(written(tmp_path, plain)).points, POINTS)


FAR = bytes(np.random.default_rng(1).integers(0, 256, 400, dtype=np.uint8))


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        (b"\x00a\xe0\x28\x00", b"a" * 50),  # the last byte again and again; a long length
        (b"\x01ab\xe0\x27\x01", b"ab" * 25),
        (b"\x02abc\x20\x02", b"abcabc"),  # a short length
        (literal_lzf(FAR) + bytes([0x20 | 399 >> 8, 399 & 255]), FAR + FAR[:3]),  # from further back than a byte can say
    ],
)
def test_repeats_in_lzf(packed, plain):
    out = np.zeros(len(plain), np.uint8)
    assert _unpack(np.frombuffer(packed, np.uint8), out) == len(plain)
    assert bytes(out) == plain


@pytest.mark.parametrize(("ascii_", "compressed"), [(True, False), (False, False), (False, True)])
def test_against_what_open3d_writes(tmp_path, ascii_, compressed):
    from urban_map_loc.simulation.casting import load_open3d

    o3d = load_open3d()
    points = np.round(np.random.default_rng(0).normal(0.0, 20.0, (400, 3)), 1)
    points[5:300] = points[4]  # repeats, so that there is something to pack
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    o3d.io.write_point_cloud(str(tmp_path / "o.pcd"), cloud, write_ascii=ascii_, compressed=compressed)
    np.testing.assert_allclose(read_cloud_file(tmp_path / "o.pcd").points, points, atol=1e-5)


@settings(max_examples=150)
@given(st.sampled_from(["ascii", "binary", "binary_compressed"]), st.data())
def test_no_damage_is_more_than_one_line(data, draw):
    """A byte changed or the file cut: the same number of points, or a CloudError; never another exception."""
    content = bytearray(pcd(xyz() | {"label": LABEL.astype("<i4")}, data))
    at = draw.draw(st.integers(0, len(content) - 1))
    if draw.draw(st.booleans()):
        content = content[:at]
    else:
        content[at] = draw.draw(st.integers(0, 255))
    fields, reason = {}, ""
    try:
        fields = read_pcd(bytes(content))
    except CloudError as error:
        reason = str(error)
    assert "\n" not in reason
    assert len({len(column) for column in fields.values()}) <= 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no PCD header"),
        (b"\x00" * 40000, "no PCD header"),
        (pcd(xyz(), "binary")[:-1], "35 bytes of 36"),
        (pcd(xyz(), "binary", POINTS="1000000000000000"), "cut short"),
        (pcd(xyz(), "binary", POINTS="-1"), "header is damaged"),
        (pcd(xyz(), "binary", SIZE="4 4"), "header is damaged"),
        (pcd(xyz(), "binary", COUNT="1 1 99999999999"), "header is damaged"),
        (pcd(xyz(), "binary", TYPE="F F Q"), "type Q4"),
        (pcd(xyz(), "binary", DATA="zipped"), "'zipped'"),
        (pcd(xyz("xy"), "binary"), "no field z (fields: x, y)"),
        (pcd(xyz() | {"label": POINTS[:, 0]}, "binary"), "no integers"),
        (pcd(xyz(), "ascii")[:-12], "damaged|cut short"),
        (pcd(xyz(), "ascii", POINTS="9"), "3 x 3 numbers of 9 x 3"),
        (pcd(xyz(), "ascii").replace(b"nan", b"nil"), "row is damaged"),
        (pcd(xyz(), "binary_compressed")[:-1], "cut short"),
        (pcd(xyz(), "binary_compressed", POINTS="400000000"), "claim 36 bytes"),
        (pcd(xyz(), "binary_compressed").replace(b"\x1f", b"\xff", 1), "damaged"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_bad_pcd(tmp_path, content, reason):
    path = written(tmp_path, content)
    with pytest.raises(CloudError, match=reason.replace("(", r"\(").replace(")", r"\)")) as raised:
        read_cloud_file(path)
    assert str(raised.value).startswith(f"{path}: ")


def kitti(points: NDArray) -> bytes:
    return np.column_stack([points, np.full(len(points), 0.5)]).astype("<f4").tobytes()


def test_kitti_with_labels(tmp_path):
    path = written(tmp_path, kitti(POINTS), "000000.bin")
    labels = written(tmp_path, (LABEL.astype("<u4") | (7 << 16)).tobytes(), "000000.label")
    cloud = read_cloud_file(path, labels)
    np.testing.assert_array_equal(cloud.points, POINTS)
    assert (cloud.label & 0xFFFF).tolist() == LABEL.tolist()
    assert read_cloud_file(path).label is None


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [("a.bin", b"\x00" * 17, "17 bytes are no whole number"), ("a.ply", b"", "no known kind of cloud"), ("a", b"", "no suffix")],
)
def test_bad_files(tmp_path, name, content, reason):
    with pytest.raises(CloudError, match=reason):
        read_cloud_file(written(tmp_path, content, name))


def test_missing_files_and_labels_of_another_cloud(tmp_path):
    with pytest.raises(CloudError, match="does not exist"):
        read_cloud_file(tmp_path / "a.bin")
    path = written(tmp_path, kitti(POINTS), "a.bin")
    with pytest.raises(CloudError, match="does not exist"):
        read_cloud_file(path, tmp_path / "a.label")
    with pytest.raises(CloudError, match="2 labels for the 3 points"):
        read_cloud_file(path, written(tmp_path, b"\x00" * 8, "a.label"))
    (tmp_path / "d.bin").mkdir()
    with pytest.raises(CloudError, match="cannot be read"):
        read_cloud_file(tmp_path / "d.bin")


def test_a_whole_cloud_without_labels():
    whole = WholeCloud(POINTS, stamp_s=3.0, frame_id="lidar")
    assert whole.cloud.label is None
    assert (whole.cloud.stamp_s, whole.cloud.frame_id) == (3.0, "lidar")
