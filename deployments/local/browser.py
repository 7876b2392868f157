"""Pictures of web pages by a headless Chromium of the machine's own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deployments.local.ports import LOOPBACK

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_WIDTH, _HEIGHT = 1440, 900
_DEADLINE_MS = 60_000.0
_QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
# Prefect's pages call a host for analytics, whatever its server was told.
_ELSEWHERE = re.compile(rf"^https?://(?!{re.escape(LOOPBACK)}:)")
_DRAWN = """() => !document.querySelector(".animate-pulse") && [...document.images].every(image => image.complete)"""


class NoBrowserError(RuntimeError):
    """There is no Chromium on this machine; the message says how to get or to name one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page to be pictured.

    Attributes:
        name: of the picture's file, without its ending.
        shows: a text that is to be seen on it once it is drawn.
        dark: in the dark theme.
    """

    name: str
    address: str
    shows: str
    dark: bool = False


def chromium() -> str:
    """Return the path of a Chromium: the one in SLUICE_CHROMIUM, or the first in PATH.

    Raises:
        NoBrowserError: there is none.
    """
    named = os.environ.get("SLUICE_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if found is None:
        raise NoBrowserError(
            f"{named or 'Chromium'} is not there, or cannot be run: install Chromium (Debian: apt install chromium), "
            "or name a program in SLUICE_CHROMIUM"
        )
    return found


class Camera:
    """Takes pictures with a browser that is running."""

    def __init__(self, browser: Browser, into: Path) -> None:
        self._browser = browser
        self._into = into

    def take(self, page: Page) -> Path:
        """Open a page, wait until it is drawn, and return the picture of all of it.

        Raises:
            playwright.sync_api.TimeoutError: the page does not come to show what it should.
        """
        file = self._into / f"{page.name}.png"
        theme: Literal["dark", "light"] = "dark" if page.dark else "light"
        with (
            self._browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme=theme) as context,
            context.new_page() as opened,
        ):
            opened.set_default_timeout(_DEADLINE_MS)
            opened.route(_ELSEWHERE, lambda route: route.abort())
            opened.goto(page.address, wait_until="networkidle")
            opened.get_by_text(page.shows).first.wait_for()
            opened.wait_for_function(_DRAWN)
            opened.screenshot(path=file, full_page=True, animations="disabled")
        return file


@contextmanager
def running_camera(into: Path) -> Iterator[Camera]:
    """Run a browser for as long as the block lives; its pictures go into a directory, which is made.

    Raises:
        NoBrowserError: there is no Chromium.
    """
    from playwright.sync_api import sync_playwright  # of an extra that only pictures need

    program = chromium()
    into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=_QUIET) as browser:
        yield Camera(browser, into)
