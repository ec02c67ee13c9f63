# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`area build --place` and `--bbox` against a server of our own: good, slow, busy, broken and talkative answers."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import osmnx
import pytest
import shapely

from urban_map_loc import __version__
from urban_map_loc.area import overpass
from urban_map_loc.area.box import GeoBox
from urban_map_loc.area.overpass import download_box, download_place
from urban_map_loc.cli.main import run
from urban_map_loc.config import DownloadConfig
from urban_map_loc.errors import AreaError

BOX = GeoBox(8.0, 50.0, 8.01, 50.01)
CORNERS = [(8.001, 50.001), (8.002, 50.001), (8.002, 50.002), (8.001, 50.002)]
NODES = [{"type": "node", "id": k, "lon": lon, "lat": lat} for k, (lon, lat) in enumerate([*CORNERS, (8.0, 50.005), (8.02, 50.005)], 1)]
TOWN = {
    "osm3s": {"timestamp_osm_base": "2024-05-01T10:00:00Z"},
    "elements": [
        {"type": "way", "id": 7, "nodes": [1, 2, 3, 4, 1], "tags": {"building": "yes"}},
        {"type": "way", "id": 8, "nodes": [5, 6], "tags": {"highway": "residential"}},
        {"type": "relation", "id": 9, "members": [{"type": "way", "ref": 7, "role": ""}], "tags": {"type": "site"}},
        *NODES,
    ],
}
PLACE = [
    {
        "importance": 0.5,
        "boundingbox": ["50.0", "50.01", "8.0", "8.01"],
        "geojson": shapely.geometry.mapping(shapely.box(*BOX)),
        "display_name": "Townlet",
        "lat": "50.005",
        "lon": "8.005",
    }
]
HTML = b"<html><head><title>OSM3S</title></head><p><strong>Error</strong>: runtime error: dispatcher is busy &amp; tired</p>"


def good(handler):
    return 200, json.dumps(TOWN).encode()


def busy(status, body=b"rate_limited: Please slow down", **headers):
    def answer(handler):
        handler.more = {name.replace("_", "-"): value for name, value in headers.items()}
        return status, body

    return answer


def slow(handler):
    time.sleep(1.5)
    return good(handler)


def truncated(handler):
    return 200, json.dumps(TOWN).encode()[:300]


def webpage(handler):
    return 200, HTML


def remark(handler):
    return 200, json.dumps({"elements": [], "remark": "runtime error: Query timed out after 2 seconds"}).encode()


class Server(ThreadingHTTPServer):
    """Gives the answers of `script` in turn, the last one again and again, and remembers the requests."""

    daemon_threads = True
    script = (good,)
    places = PLACE

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.queries, self.agents = [], []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.queries.append(parse_qs(body)["data"][0])
        self.server.agents.append(self.headers["User-Agent"])
        script = self.server.script
        self.more = {}
        self.reply(*script[min(len(self.server.queries), len(script)) - 1](self))

    def do_GET(self):
        self.more = {}
        self.server.agents.append(self.headers["User-Agent"])
        self.server.queries.append(parse_qs(urlparse(self.path).query).get("q", [""])[0])
        self.reply(200, json.dumps(self.server.places).encode())

    def reply(self, status, body):
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **self.more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the client has lost its patience

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv(overpass.CACHE_VARIABLE, str(tmp_path / "cache"))
    # Neither a proxy nor a variable of the machine leads elsewhere.
    for name in (overpass.OVERPASS_VARIABLE, overpass.NOMINATIM_VARIABLE, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as it:
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield it
        it.shutdown()
        thread.join()


def patience(server, **more):
    return DownloadConfig(
        **{"overpass_url": server.url, "nominatim_url": server.url, "attempts": 3, "backoff_s": 0.0, "timeout_s": 5, **more}
    )


def test_a_box_is_downloaded_cropped_and_kept(server):
    before = osmnx.settings.overpass_url, osmnx.settings.cache_only_mode, socket.getaddrinfo
    area = download_box(BOX, patience(server))
    assert list(area.building_ids) == ["way/7"]
    assert shapely.total_bounds(area.roads_wgs84).tolist() == pytest.approx([8.0, 50.005, 8.01, 50.005])
    assert (area.datum.lat_deg, area.datum.lon_deg) == (50.005, 8.005)
    assert area.osm_timestamp == "2024-05-01T10:00:00Z"
    assert area.source == "Overpass API, box 8,50,8.01,50.01"
    assert server.agents == [f"urban_map_loc/{__version__}"]
    for wanted in ("['building']", "building:part", "hedge", "residential", "[timeout:5]"):
        assert wanted in server.queries[0]
    server.script = (busy(500),)
    assert download_box(BOX, patience(server)).content_hash == area.content_hash
    assert len(server.queries) == 1
    assert before == (osmnx.settings.overpass_url, osmnx.settings.cache_only_mode, socket.getaddrinfo)


@pytest.mark.parametrize("bad", [busy(429), busy(504), busy(503, HTML), truncated, webpage, remark, slow])
def test_a_bad_answer_is_asked_again_and_not_kept(server, bad):
    server.script = (bad, good)
    assert len(download_box(BOX, patience(server, timeout_s=1)).buildings) == 1
    assert len(server.queries) == 2


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (busy(429), "429 Too Many Requests: rate_limited: Please slow down"),
        (busy(504, b""), "504 Gateway Timeout"),
        (truncated, "no whole JSON"),
        (webpage, "Error : runtime error: dispatcher is busy & tired"),
        (remark, "Query timed out after 2 seconds"),
    ],
)
def test_a_server_that_stays_bad_is_given_up_with_its_own_words(server, tmp_path, bad, says):
    server.script = (bad,)
    with pytest.raises(AreaError) as caught:
        download_box(BOX, patience(server))
    message = str(caught.value)
    assert says in message
    assert "3 attempts" in message
    assert "--osm FILE" in message
    assert server.url in message
    assert "\n" not in message
    assert len(message) < 600
    assert len(server.queries) == 3
    assert not list((tmp_path / "cache").rglob("*.pbf"))


def test_a_server_that_is_too_slow(server):
    server.script = (slow,)
    with pytest.raises(AreaError, match=r"2 attempts.*timed out.*--osm FILE"):
        download_box(BOX, patience(server, timeout_s=1, attempts=2))


def test_a_wrong_request_is_not_repeated(server):
    server.script = (busy(400, b"<html><body>Error: line 1: parse error</body></html>"),)
    with pytest.raises(AreaError, match="400 Bad Request: Error: line 1: parse error"):
        download_box(BOX, patience(server))
    assert len(server.queries) == 1


def test_waiting_grows_and_obeys_the_server(server, monkeypatch):
    waits = []
    monkeypatch.setattr(overpass.time, "sleep", waits.append)
    server.script = (busy(504), busy(504), busy(429, Retry_After="30"), good)
    download_box(BOX, patience(server, attempts=4, backoff_s=2.0))
    assert [wait for wait in waits if wait] == [2.0, 4.0, 30.0]


def test_nobody_there(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(AreaError, match=r"refused.*--osm FILE"):
            download_box(BOX, patience(server, overpass_url=url))


def test_no_network(server, monkeypatch):
    def offline(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "gethostbyname", offline)
    monkeypatch.setattr(osmnx._http, "_original_getaddrinfo", offline)
    monkeypatch.setattr(socket, "getaddrinfo", offline)
    with pytest.raises(AreaError, match=r"not known to this machine's network.*--osm FILE"):
        download_box(BOX, patience(server, overpass_url="http://nowhere.invalid/api", backoff_s=60.0))


def test_nothing_there(server):
    server.script = (busy(200, b'{"elements": []}'),)
    with pytest.raises(AreaError, match="holds no building"):
        download_box(BOX, patience(server))


def test_an_interrupted_answer_in_the_cache_is_asked_for_again(server, tmp_path):
    download_box(BOX, patience(server))
    (file,) = (tmp_path / "cache").rglob("*.json")
    file.write_bytes(file.read_bytes()[:100])
    next((tmp_path / "cache").rglob("*.pbf")).unlink()
    assert len(download_box(BOX, patience(server)).buildings) == 1
    assert len(server.queries) == 2


def test_a_box_across_the_antimeridian_is_asked_for_in_halves(server):
    server.script = (busy(200, b'{"elements": []}'),)
    with pytest.raises(AreaError, match="holds no building"):
        download_box(GeoBox(179.99, -17.0, 180.01, -16.99), patience(server))
    assert len(server.queries) == 2
    assert "179.99" in server.queries[0]
    assert "-179.99" in server.queries[1]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)  # osmnx waits a second before each question to Nominatim


def test_a_place_is_found_by_name(server, quick):
    area = download_place("Townlet", patience(server))
    assert list(area.building_ids) == ["way/7"]
    assert server.queries[0] == "Townlet"
    assert area.source == "Overpass API, Townlet"


@pytest.mark.parametrize(
    ("places", "says"),
    [([], "no place named 'Nowhere' is known"), ([{**PLACE[0], "geojson": {"type": "Point", "coordinates": [8, 50]}}], "point")],
)
def test_places_that_are_none(server, quick, places, says):
    server.places = places
    with pytest.raises(AreaError, match=says):
        download_place("Nowhere", patience(server))


def test_the_command_line_takes_the_address_from_the_environment(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(overpass.OVERPASS_VARIABLE, server.url)
    assert run(["area", "build", "--bbox", "8,50,8.01,50.01", "--out", str(tmp_path / "a.gpkg")]) == 0
    assert "1 buildings" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["--place", "Graz", "--bbox", "8,50,9,51"], ["--place", "Graz", "--osm", "a.osm"]],
    ids=["none", "place+bbox", "place+osm"],
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(["area", "build", *arguments, "--out", "a.gpkg"])
    assert caught.value.code == 2


def endless(handler):
    """A valid beginning, and then spaces for as long as anybody listens."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    try:
        handler.wfile.write(json.dumps(TOWN).encode())
        while True:
            handler.wfile.write(b" " * 65536)
    except OSError:
        return 200, b""


def trickling(handler):
    """Some bytes now and then, each before requests loses its patience."""
    body = json.dumps(TOWN).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    try:
        for k in range(0, len(body), 20):
            handler.wfile.write(body[k : k + 20])
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass
    return 200, b""


def test_an_answer_without_end_is_given_up(server):
    server.script = (endless,)
    with pytest.raises(AreaError, match=r"/interpreter sends more than 2 MB; ask for a smaller box, or give a file with --osm"):
        download_box(BOX, patience(server, largest_answer_mb=2.0))
    assert len(server.queries) == 1


def test_an_answer_that_trickles_in_is_given_up(server):
    server.script = (trickling,)
    with pytest.raises(AreaError, match=r"gave no map in 2 attempts \(the answer had not come in after 0.1 s\)"):
        download_box(BOX, patience(server, transfer_s=0.1, attempts=2, backoff_s=0.0))


def test_a_box_the_size_of_a_country_is_not_asked_for(server):
    with pytest.raises(AreaError, match=r"has 10\d{6} km², more than 2500; give a smaller one, or an extract with --osm FILE"):
        download_box(GeoBox(-10.0, 35.0, 30.0, 70.0), patience(server))
    assert server.queries == []


@pytest.mark.parametrize("elements", [[{"type": "way", "id": 7}], [{"type": "node", "id": "x", "lat": 1, "lon": 1}], ["way"], [None], 3])
def test_a_damaged_answer(server, elements):
    server.script = (lambda handler: (200, json.dumps({"elements": elements}).encode()),)
    with pytest.raises(AreaError, match=r"an answer of Overpass is damaged \(.*\); remove .* and ask again"):
        download_box(BOX, patience(server))


def test_a_wait_in_digits_that_are_no_number(server):
    server.script = (busy(429, Retry_After="\u00b2"), good)
    assert len(download_box(BOX, patience(server, attempts=2, backoff_s=0.0)).roads) == 1
