"""A real Chromium, driven by Playwright. Nothing is downloaded: the browser is the system's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def need(what: str, found: object, hint: str) -> None:
    """Skip where a part of the machine is missing; fail instead where all must be there (NEED_ALL, as CI sets it)."""
    if not found:
        words = f"{what} is missing; {hint}"
        pytest.fail(words) if os.environ.get("NEED_ALL") else pytest.skip(words)


@contextmanager
def chromium() -> Iterator["object"]:
    """A browser without a network of its own to talk to."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    need("Chromium", path, "Debian: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
