"""What all tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytest_plugins = ["pytester"]  # contracts are tried on broken plugins in a pytest inside pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
CHROMIUM = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion",
)  # fmt: skip


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and weights beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real photographs and weights in {SHARED}, which is absent")
    return SHARED


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Debian's Chromium without a window. Selenium is imported here: a machine with a GPU may lack both."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    browser, service = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not service:
        pytest.skip("needs Debian's chromium and chromium-driver, which are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*CHROMIUM, f"--user-data-dir={tmp_path_factory.mktemp('profile')}", "--window-size=1280,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(service))
    yield chrome
    chrome.quit()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums of floats depend on how many threads share them: what is compared to the digit is computed by one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
