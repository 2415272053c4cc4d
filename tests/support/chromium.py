"""A real headless Chromium, without a network, that tells what a page asks for and complains of."""

import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver here (Debian: chromium, chromium-driver)"
)
PATIENCE = 60
"""Seconds that a page may take; a page that hangs fails, whatever the machine's load."""


class Browser:
    """One page in the browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]},
        )
        self.resize(width, height)
        self.driver.get(page.resolve().as_uri())

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str) -> Any:
        """Waits until an expression holds; returns its value."""
        end = time.monotonic() + PATIENCE
        while not (found := self.run(f"return {condition}")):
            assert time.monotonic() < end, f"never held: {condition}"
            time.sleep(0.05)
        return found

    def complaints(self) -> list[str]:
        """Messages of the console since the last call."""
        return [f"{entry['level']} {entry['message']}" for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        """The entries of one of the browser's logs since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def requests(self) -> set[str]:
        """Addresses that pages have asked for since the last call, but for data in the page itself and for the parts of
        the browser's own first tab."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        asked = {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        }
        return {address for address in asked if not address.startswith(("data:", "blob:", "chrome:"))}

    def screenshot(self, file: Path) -> None:
        """The whole page as PNG; kept in the folder that POLYPROBE_SCREENSHOTS names, if it does."""
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        file.write_bytes(base64.b64decode(found["data"]))
        if kept := os.environ.get("POLYPROBE_SCREENSHOTS"):
            Path(kept).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, kept)


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """The browser; its proxy is a port where nothing listens, so that no request can succeed."""
    options = Options()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--proxy-server=127.0.0.1:9", "--disable-background-networking", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
