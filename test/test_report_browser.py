# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""report.html in a real browser: 10 minutes at 10 Hz load, play, step, fit a phone, ask no network and complain of nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from runs import SIZE, a_tile, write_long_run

from urban_map_loc.evaluation.evaluate import evaluate

pytestmark = pytest.mark.timeout(300)  # ten seconds, and a slow machine that starts a browser

CLOUDS = 6000
LARGEST_BYTES = 15e6
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1280,900",
)  # fmt: skip
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_long_run(tmp_path_factory.mktemp("long"), CLOUDS)
    evaluate(folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium with its chromedriver here: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install -r requirements.txt")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    session.set_page_load_timeout(60)
    session.set_script_timeout(60)
    session.get("about:blank")  # what its own first page asks for is over
    session.get_log("performance")
    yield session
    session.quit()


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report, freshly loaded; afterwards nothing was complained of and nothing asked of the network."""
    browser.get_log("performance")
    browser.get(report.as_uri())
    wait_for(browser, "document.documentElement.dataset.ready === 'true' || !document.getElementById('trouble').hidden")
    assert run(browser, "document.getElementById('trouble').textContent") == ""
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert report.as_uri() in asked
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in asked) == 1


def run(browser: Any, expression: str) -> Any:
    return browser.execute_script(f"return {expression}")


def wait_for(browser: Any, condition: str) -> None:
    """Until the page says so, checked at every frame; the script's own time limit is the longest wait."""
    script = "const done = arguments[0]; const look = () => (%s) ? done() : requestAnimationFrame(look); look();"
    browser.execute_async_script(script % condition)


def slide_to(browser: Any, cloud: int) -> None:
    """Move the slider as a hand does."""
    browser.execute_script(
        "const slider = document.getElementById('slider'); slider.value = arguments[0]; slider.dispatchEvent(new Event('input'));", cloud
    )


def press(browser: Any, key: str) -> None:
    browser.execute_script("document.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))", key)


def picture(browser: Any, name: str) -> str:
    return run(browser, f"document.getElementById('{name}').toDataURL()")


def text(browser: Any, name: str) -> str:
    return run(browser, f"document.getElementById('{name}').textContent")


def test_ten_minutes_are_one_small_file(report: Path) -> None:
    assert report.stat().st_size <= LARGEST_BYTES
    assert "<b>&" not in report.read_text(encoding="utf-8")  # a reason is text, not markup


def test_slider_moves_tile_state_and_map(page: Any, tmp_path: Path) -> None:
    assert run(page, "report.run.count") == CLOUDS
    assert text(page, "state") == "locked"  # it opens where the first lock is
    slide_to(page, 20)
    early = [picture(page, name) for name in ("tile", "map-moment")]
    assert (text(page, "state"), text(page, "clock")) == ("initializing", "2.0 s, cloud 21")
    assert "8 needed before locking" in text(page, "reason")
    slide_to(page, 1000)
    later = [picture(page, name) for name in ("tile", "map-moment")]
    assert text(page, "state") == "locked"
    assert "<b>&" in text(page, "reason")
    assert "100.0 s, locked, position error 0." in run(page, "document.getElementById('slider').getAttribute('aria-valuetext')")
    assert all(a != b for a, b in zip(early, later, strict=True))
    page.save_screenshot(str(tmp_path / "report.png"))


def test_tile_is_drawn_as_the_cloud_saw_it(page: Any) -> None:
    """Every pixel that the browser unpacks is that of the RUN's tile."""
    unpack = "(() => { const t = report.tileAt(%d); const out = []; for (let r = 0; r < %d; r++) for (let c = 0; c < %d; c++)"
    unpack += " out.push(t.wall(r, c) + 2 * t.free(r, c)); return out; })()"
    tile = a_tile(5999 % 60)
    assert run(page, unpack % (5999, SIZE, SIZE)) == (tile.hits + 2 * tile.free).ravel().tolist()


def test_keys_buttons_and_moments(page: Any) -> None:
    slide_to(page, 100)
    press(page, "ArrowRight")
    assert text(page, "clock").endswith("cloud 102")
    press(page, "End")
    assert text(page, "clock").endswith(f"cloud {CLOUDS}")
    press(page, "Home")
    press(page, "n")
    assert text(page, "clock").endswith("cloud 51")  # the first lock
    moments = run(page, "[...document.querySelectorAll('#moments button')].map((b) => [b.className, b.textContent])")
    assert {"start", "lock", "lost", "wrong", "error", "latency"} <= {kind for kind, _ in moments}
    page.execute_script("document.querySelector('#moments .wrong').click()")
    assert text(page, "clock").endswith(f"cloud {int(0.4 * CLOUDS) + 61}")
    page.execute_script("document.querySelector('#playback ~ section [data-cloud]').click()")
    assert text(page, "clock").endswith("cloud 1")


def test_playing_moves_on_and_stops(page: Any) -> None:
    slide_to(page, 100)
    page.execute_script("document.getElementById('speed').value = '30'; document.getElementById('play').click()")
    wait_for(page, "report.cloud > 110")
    page.execute_script("document.getElementById('play').click()")
    assert run(page, "document.getElementById('play').getAttribute('aria-pressed')") == "false"
    slide_to(page, CLOUDS - 2)
    page.execute_script("document.getElementById('play').click()")
    wait_for(page, "!report.playing")
    assert run(page, "report.cloud") == CLOUDS - 1


def test_zoom_and_following(page: Any) -> None:
    whole = picture(page, "map-base")
    page.execute_script("document.getElementById('zoom-in').click()")
    assert picture(page, "map-base") != whole
    page.execute_script("document.getElementById('zoom-fit').click()")
    assert picture(page, "map-base") == whole
    page.execute_script("document.getElementById('follow').click()")
    slide_to(page, 4000)
    pose = run(page, "[report.map.view.east - report.run.clouds.estimate_east[4000], report.map.view.north]")
    assert pose[0] == 0.0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone(page: Any, tmp_path: Path, scheme: str) -> None:
    """No sideways scrolling, legible letters, things to press that a finger meets, in both schemes."""
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    try:
        wait_for(page, "innerWidth === 360 && document.getElementById('map-base').getBoundingClientRect().width < 360")
        assert run(page, "document.documentElement.scrollWidth") <= 360
        assert (
            run(page, "Math.min(...[...document.querySelectorAll('.buttons button')].map((b) => b.getBoundingClientRect().height))") >= 34
        )
        assert run(page, "parseFloat(getComputedStyle(document.body).fontSize)") >= 14
        dark = run(page, "getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 28)"
        assert dark == (scheme == "dark")
        page.save_screenshot(str(tmp_path / f"phone-{scheme}.png"))
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_everything_has_a_name(page: Any) -> None:
    """Buttons, inputs and pictures say what they are to those who do not see them."""
    nameless = (
        "[...document.querySelectorAll('button, input, select, canvas[role]')].filter((e) =>"
        " !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert run(page, nameless) == []
    assert run(page, "document.documentElement.lang") == "en"


def test_browser_that_cannot_unpack_says_so(browser: Any, report: Path) -> None:
    """The numbers stay readable where the playback cannot work."""
    hidden = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.DecompressionStream"})
    try:
        browser.get(report.as_uri())
        wait_for(browser, "!document.getElementById('trouble').hidden")
        assert "does not work in this browser" in text(browser, "trouble")
        assert "position error [m]" in text(browser, "result")
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", hidden)
        browser.get_log("browser")
