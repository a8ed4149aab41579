"""The MLflow UI, in a real browser, on a search that a user launched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import STRIATE
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

from search.history import History

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1500,1200"
)

if not (CHROMIUM and DRIVER) and not os.environ.get("CI"):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def addresses(finished: tuple[Path, str]) -> Iterator[dict[str, str]]:
    """What `striate ui` prints, while its server runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(STRIATE), "ui", "tiny-1", "--port", str(port)]
    with subprocess.Popen(
        command,
        cwd=finished[0],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = {}
        for line in process.stdout:
            if found := re.match(r"(Search|Trials): (\S+)$", line):
                printed[found[1]] = found[2]
            if line.startswith("Serving"):
                break
        yield printed
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "", "Ctrl-C ends it without a word"
    assert process.returncode == 0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    driver = webdriver.Chrome(options, Service(DRIVER))
    yield driver
    driver.quit()


def visit(browser: WebDriver, address: str) -> None:
    """Load a page anew; an address that differs behind the # alone would only be routed inside the one that is open."""
    browser.get("about:blank")
    browser.get(address)


def wait_for_text(browser: WebDriver, *texts: str) -> None:
    def shown(driver: WebDriver) -> bool:
        body = driver.find_element(By.TAG_NAME, "body").text
        return all(text in body for text in texts)

    WebDriverWait(browser, 90).until(shown, f"{texts} never appeared")


def test_the_search_has_its_running_median_and_its_trials(browser: WebDriver, addresses: dict[str, str]) -> None:
    visit(browser, addresses["Search"])
    wait_for_text(
        browser,
        "tiny-1",
        "Finished",
        "median_last_50",
        "mean_last_50",
        "share_at_chance",
        "best",
        "A search on the space tiny",
    )
    wait_for_text(browser, "tiny-1-0012")  # among the child runs


def test_the_running_median_is_charted(browser: WebDriver, addresses: dict[str, str]) -> None:
    run, query = addresses["Search"].split("?")
    visit(browser, f"{run}/model-metrics?{query}")
    wait_for_text(browser, "median_last_50")
    WebDriverWait(browser, 90).until(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".js-plotly-plot")) >= 3)


@pytest.mark.parametrize("figure", ["progress.png", "edges.png"])
def test_the_figures_are_shown(figure: str, browser: WebDriver, addresses: dict[str, str]) -> None:
    run, query = addresses["Search"].split("?")
    visit(browser, f"{run}/artifacts/{figure}?{query}")
    loaded = "return [...document.images].some(image => image.naturalWidth > 1000)"
    WebDriverWait(browser, 90).until(lambda driver: driver.execute_script(loaded), f"{figure} is not shown")


def test_the_interactive_report_draws_both_figures(browser: WebDriver, addresses: dict[str, str]) -> None:
    run, query = addresses["Search"].split("?")
    visit(browser, f"{run}/artifacts/report.html?{query}")
    frame = WebDriverWait(browser, 90).until(lambda driver: driver.find_element(By.TAG_NAME, "iframe"))
    browser.switch_to.frame(frame)
    plots = WebDriverWait(browser, 90).until(
        lambda driver: len(found := driver.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .main-svg")) >= 2 and found
    )
    assert plots
    wait_for_text(browser, "best so far", "V4>V2")
    browser.switch_to.default_content()


def test_the_trials_are_listed_best_first(
    browser: WebDriver, addresses: dict[str, str], finished: tuple[Path, str]
) -> None:
    visit(browser, addresses["Trials"])
    numbers = [trial.number for trial in History.read(finished[0] / "searches" / "tiny-1").ended]
    columns = ("val_top1", "parameters", "multiply_adds", "edges")
    wait_for_text(browser, *(f"tiny-1-{number:04d}" for number in numbers), *columns)
    names = browser.find_element(By.TAG_NAME, "body").text.split()
    told = [name for name in names if re.fullmatch(r"tiny-1-\d{4}", name)]
    best = History.read(finished[0] / "searches" / "tiny-1").best
    assert best is not None
    assert told[0] == f"tiny-1-{best.number:04d}"
