"""The page in a real browser: what it shows is what Python computes, and it complains of nothing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from synthetic_report import ARMS, synthetic_report

from camforge.maps import resize, seed_mask
from camforge.pictures import encode, overlay
from camforge.report.data import ArmReport, GalleryImage, ReportData, ViewReport
from camforge.report.gallery import quantise
from camforge.report.page import write_page
from camforge.report.suite import SuiteReport, SuiteRow, write_suite

SIZE = 48


class Page:
    """A report in the browser, with the words of the page's own controls."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def element(self, name: str):
        return self.driver.find_element(By.ID, name)

    def until(self, condition) -> None:
        WebDriverWait(self.driver, 60, poll_frequency=0.02).until(lambda _: condition())

    def value(self, name: str) -> float | None:
        text = self.element(name).get_attribute("data-value")
        return float(text) if text else None

    def set_threshold(self, percent: int) -> None:
        self.driver.execute_script(
            "const range = document.getElementById('threshold'); range.value = arguments[0];"
            "range.dispatchEvent(new Event('input'))",
            percent,
        )
        self.until(lambda: self.element("threshold-value").text == f"{percent / 100:.2f}")

    def choose(self, name: str, text: str) -> None:
        Select(self.element(name)).select_by_visible_text(text)

    def go_to(self, place: int, name: str) -> None:
        """The ``place``-th picture of the film, of the image ``name``."""
        self.driver.execute_script(f"document.querySelectorAll('#film button')[{place}].click()")
        self.until(lambda: self.element("name").text == name)

    def marks(self) -> list[str]:
        """The film's scores, left to right."""
        script = "return [...document.querySelectorAll('#film small')].map(mark => mark.textContent)"
        return self.driver.execute_script(script)

    def settled(self) -> None:
        self.until(lambda: self.element("progress").text.endswith("image and class pairs"))


@pytest.fixture(scope="module")
def told() -> ReportData:
    torch.manual_seed(0)
    return synthetic_report()


@pytest.fixture(scope="module")
def address(told: ReportData, tmp_path_factory) -> str:
    return write_page(tmp_path_factory.mktemp("a b") / "report.html", told).as_uri()


@pytest.fixture
def page(driver: webdriver.Chrome, address: str) -> Page:
    driver.get_log("browser")
    driver.get(address)
    page = Page(driver)
    page.until(lambda: page.value("iou-a") is not None)
    return page


def _seed(values: torch.Tensor, threshold: float) -> np.ndarray:
    return seed_mask(resize(values.double(), (SIZE, SIZE)), threshold).numpy()


def _stored(values: torch.Tensor) -> torch.Tensor:
    """(h, w) uint8, as the page keeps it: a signed map is enlarged before it is rectified."""
    return quantise(resize(values, (SIZE, SIZE)) if values.min() < 0 else values, SIZE)


def _iou(image: GalleryImage, seed: np.ndarray, label: int) -> float:
    mask = image.mask.numpy()
    truth, counted = mask == label + 1, mask != 255
    return (seed & truth).sum() / ((seed | truth) & counted).sum()


def _box(seed: np.ndarray) -> list[float]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(seed.astype(np.uint8), connectivity=8)
    x, y, w, h, _ = stats[1:][stats[1:, 4].argmax()]
    return [x, y, x + w, y + h]


def _box_iou(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0, width) * max(0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_numbers_equal_pythons_at_every_threshold(page: Page, told: ReportData, number: int) -> None:
    """Images 0 holds maps of its own size, 1 and 3 of a quarter and half of it."""
    image = told.gallery[number]
    page.go_to(2 * number, image.id)  # every image shows two classes
    for percent in (1, 15, 37, 60, 88, 100):
        page.set_threshold(percent)
        for side, arm in (("a", ARMS[0]), ("b", ARMS[1])):
            values = image.maps[arm][0]
            stored, exact = _seed(_stored(values), percent / 100), _seed(values, percent / 100)
            assert page.value(f"iou-{side}") == pytest.approx(_iou(image, stored, 0), abs=1e-12)
            assert page.value(f"iou-{side}") == pytest.approx(_iou(image, exact, 0), abs=0.02)
            counted = stored & (image.mask != 255).numpy()
            hit = (stored & (image.mask == 1).numpy()).sum()
            assert page.value(f"recall-{side}") == pytest.approx(hit / (image.mask == 1).sum().item(), abs=1e-12)
            assert page.value(f"precision-{side}") == pytest.approx(hit / counted.sum(), abs=1e-12)
            expected = _box_iou(_box(stored), image.boxes[0].tolist())
            assert page.value(f"box-{side}") == pytest.approx(expected, abs=1e-12)


def test_best_threshold_is_the_best_of_all(page: Page, told: ReportData) -> None:
    image = told.gallery[0]
    stored = _stored(image.maps[ARMS[0]][0])
    ious = [_iou(image, _seed(stored, k / 100), 0) for k in range(101)]
    assert page.value("top-a") == pytest.approx(max(ious), abs=1e-12)
    assert page.element("top-a").text.endswith(f"at {ious.index(max(ious)) / 100:.2f}")


def test_sorting_by_score_and_by_difference(page: Page, told: ReportData) -> None:
    pairs = [(image, label) for image in told.gallery for label in (0, 1)]
    ious = {
        arm: [_iou(i, _seed(_stored(i.maps[arm][c]), 0.15), c) for i, c in pairs] for arm in ARMS[:2]
    }  # fmt: skip
    apart = [abs(a - b) for a, b in zip(ious[ARMS[0]], ious[ARMS[1]], strict=True)]
    for text, expected in (
        ("A best first", sorted(ious[ARMS[0]], reverse=True)),
        ("A worst first", sorted(ious[ARMS[0]])),
        ("where A and B differ most", sorted(apart, reverse=True)),
    ):
        page.choose("sort", text)
        page.until(lambda: page.marks() == [f"{value:.3f}".removeprefix("0") for value in expected])  # noqa: B023
        # the film may be laid out once more while the last pairs are measured: look the first one up each time
        chosen = "#film button:first-child[aria-selected=true]"
        page.until(lambda: page.driver.find_elements(By.CSS_SELECTOR, chosen))  # noqa: B023
    page.choose("filter", told.classes[1])
    page.until(lambda: len(page.marks()) == 4)


def test_arms_classes_and_steps_can_be_picked(page: Page, told: ReportData) -> None:
    image = told.gallery[0]
    page.choose("arm-a", ARMS[2])
    iou = _iou(image, _seed(_stored(image.maps[ARMS[2]][0]), 0.15), 0)
    page.until(lambda: page.value("iou-a") == pytest.approx(iou, abs=1e-12))
    groups = page.driver.find_elements(By.CSS_SELECTOR, "#arm-a optgroup")
    assert [group.get_attribute("label") for group in groups] == ["cam", "gradcam", "controls"]
    page.choose("arm-a", ARMS[1])
    page.choose("step-a", "level 1")
    iou = _iou(image, _seed(_stored(image.before_fusion[ARMS[1]]["level 1"][0]), 0.15), 0)
    page.until(lambda: page.value("iou-a") == pytest.approx(iou, abs=1e-12))
    page.driver.find_element(By.TAG_NAME, "body").send_keys("2")
    page.until(lambda: page.value("iou-a") is None)  # this step has no map of the second class
    assert page.value("iou-b") is not None
    page.choose("arm-b", "nothing")
    page.until(lambda: page.value("iou-b") is None)


def _pixel(page: Page, canvas: str, x: float, y: float) -> np.ndarray:
    """(3,) RGB at the place (x, y), each from 0 to 1."""
    script = """
        const canvas = document.getElementById(arguments[0]), context = canvas.getContext('2d');
        const [x, y] = [Math.floor(arguments[1] * canvas.width), Math.floor(arguments[2] * canvas.height)];
        return [...context.getImageData(x, y, 1, 1).data].slice(0, 3);"""
    return np.array(page.driver.execute_script(script, canvas, x, y))


def test_wipe_moves_the_border_between_the_arms(page: Page) -> None:
    clip = "return getComputedStyle(document.getElementById('canvas-b')).clipPath"
    assert "50%" in page.driver.execute_script(clip)
    page.element("wipe").send_keys(Keys.ARROW_LEFT * 10)
    assert "45%" in page.driver.execute_script(clip)


def test_canvases_show_photograph_heat_and_outlines_as_asked(page: Page, told: ReportData) -> None:
    """In the middle of a pixel, where the browser's smoothing weighs the least."""
    image, (x, y) = told.gallery[0], (15, 15)
    place = ((x + 0.5) / SIZE, (y + 0.5) / SIZE)
    for part in ("seed", "truth"):
        page.element(f"show-{part}").click()
    photo = np.array(Image.open(BytesIO(encode(image.image))))  # as WebP keeps it
    kept = torch.from_numpy(photo).permute(2, 0, 1)
    for canvas, arm in (("canvas-a", ARMS[0]), ("canvas-b", ARMS[1])):
        expected = overlay(kept, image.maps[arm][0])[:, y, x].numpy().astype(int)
        page.until(lambda: np.abs(_pixel(page, canvas, *place) - expected).max() < 40)  # noqa: B023
    page.element("show-heat").click()
    page.until(lambda: np.abs(_pixel(page, "canvas-a", *place) - photo[y, x].astype(int)).max() < 40)


def test_keyboard_walks_images_and_moves_the_threshold(page: Page, told: ReportData) -> None:
    body = page.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.ARROW_LEFT)
    page.until(lambda: page.element("name").text == told.gallery[-1].id)
    body.send_keys(Keys.ARROW_RIGHT * 2)
    page.until(
        lambda: page.element("chips").find_element(By.CSS_SELECTOR, "[aria-pressed=true]").text == told.classes[1]
    )
    body.send_keys("]]]")
    page.until(lambda: page.element("threshold-value").text == "0.18")
    before = page.value("iou-a"), page.value("iou-b")
    body.send_keys("x")
    page.until(lambda: (page.value("iou-b"), page.value("iou-a")) == before)


def test_table_sorts_both_ways_and_keeps_controls_below(page: Page) -> None:
    heading = page.driver.find_elements(By.CSS_SELECTOR, "#arms thead button")[1]
    names = lambda: [e.text.split("\n")[0] for e in page.driver.find_elements(By.CSS_SELECTOR, "#arms tbody th")]  # noqa: E731
    heading.click()
    assert names() == [ARMS[1], ARMS[0], ARMS[2]]
    heading.click()
    assert names() == [ARMS[0], ARMS[1], ARMS[2]]


@pytest.mark.parametrize("width", [320, 390, 768, 1600])
def test_nothing_sticks_out_of_narrow_and_wide_screens(page: Page, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
        canvas = page.element("canvas-a").rect
        assert canvas["x"] >= 0
        assert canvas["x"] + canvas["width"] <= width
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def phone(page: Page) -> Iterator[Page]:
    """The page on a screen so narrow that its small table goes on beyond the edge."""
    size = {"width": 300, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield page
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_a_phone_names_have_room_and_columns_beyond_the_edge_are_told(phone: Page) -> None:
    names = phone.driver.find_elements(By.CSS_SELECTOR, "#arms tbody th")
    assert min(name.rect["width"] for name in names) >= 100
    table = phone.driver.find_element(By.CSS_SELECTOR, "#arms .scroll")
    told = lambda: phone.driver.find_element(By.CSS_SELECTOR, "#arms .onward").text  # noqa: E731
    script = """
        const edge = arguments[0].getBoundingClientRect().right + 1;
        const beyond = heading => heading.getBoundingClientRect().right > edge;
        return [...arguments[0].querySelectorAll('thead th')].filter(beyond).length"""
    beyond = phone.driver.execute_script(script, table)
    assert beyond > 0
    phone.until(lambda: told() == f"{beyond} more column{'s' if beyond > 1 else ''} →")
    phone.driver.execute_script("arguments[0].scrollLeft = arguments[0].scrollWidth", table)
    phone.until(lambda: told() == "")  # hidden: there is nothing more
    assert names[0].rect["x"] >= 0  # the names stay where they are


def test_the_maps_before_fusion_stand_below_the_arms(page: Page, told: ReportData) -> None:
    image = told.gallery[0]
    shown = lambda: page.driver.find_elements(By.CSS_SELECTOR, "#steps button")  # noqa: E731
    assert [tile.find_element(By.TAG_NAME, "span").text for tile in shown()] == ["level 1"]
    assert page.element("before-arm").text == ARMS[1]  # arm A is fused of nothing, arm B is
    iou = _iou(image, _seed(_stored(image.before_fusion[ARMS[1]]["level 1"][0]), 0.15), 0)
    page.until(lambda: shown()[0].find_element(By.TAG_NAME, "small").text == f"{iou:.3f}")
    shown()[0].click()
    page.until(lambda: page.value("iou-a") == pytest.approx(iou, abs=1e-12))


def test_light_and_dark(page: Page) -> None:
    paper = lambda: page.driver.execute_script("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
    found = []
    for scheme in ("light", "dark"):
        page.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        found.append(paper())
    assert found == ["rgb(250, 248, 244)", "rgb(22, 20, 18)"]
    page.element("theme").click()
    assert paper() == found[0]


def test_no_complaint_no_request_no_foreign_script(page: Page, address: str) -> None:
    page.set_threshold(40)
    page.settled()
    assert page.driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    own = ("data:", "chrome://", "chrome-untrusted://")  # the page's embedded pictures; the browser's empty first tab
    assert {url for url in asked if not url.startswith(own)} == {address}


def test_a_page_without_truth_still_compares(driver: webdriver.Chrome, told: ReportData, tmp_path) -> None:
    nothing = {"mask": None, "boxes": torch.zeros(0, 4), "box_classes": torch.zeros(0, dtype=torch.int64)}
    bare = replace(told, gallery=tuple(replace(image, **nothing) for image in told.gallery))
    driver.get(write_page(tmp_path / "bare.html", bare).as_uri())
    page = Page(driver)
    page.settled()
    page.choose("sort", "where A and B differ most")
    overlaps = []
    for image in told.gallery:
        for label in (0, 1):
            a, b = (_seed(_stored(image.maps[arm][label]), 0.15) for arm in ARMS[:2])
            overlaps.append(1 - (a & b).sum() / (a | b).sum())
    page.until(lambda: page.marks() == [f"{x:.3f}".removeprefix("0") for x in sorted(overlaps, reverse=True)])
    assert page.value("iou-a") is None
    assert driver.get_log("browser") == []


def test_a_suite_sorts_by_any_column(driver: webdriver.Chrome, told: ReportData, tmp_path) -> None:
    rows = tuple(SuiteRow(arm, {} if arm.control else {"recall": 0.55}) for arm in told.arms)
    suite = SuiteReport("Suite", told.classes, rows, gallery=told.gallery)
    driver.get(write_suite(tmp_path / "suite.html", suite).as_uri())
    page = Page(driver)
    page.settled()
    buttons = {e.text: e for e in driver.find_elements(By.CSS_SELECTOR, "#table thead button")}
    for title, expected in (("mlev ↓", ARMS[1]), ("miou", ARMS[1]), ("difference", ARMS[1]), ("method", ARMS[1])):
        buttons[title].click()
        assert driver.find_element(By.CSS_SELECTOR, "#table tbody a, #table tbody th").text == expected
    buttons["miou"].click()
    buttons["miou"].click()
    assert driver.find_element(By.CSS_SELECTOR, "#table tbody th").text.startswith(ARMS[0])
    assert driver.get_log("browser") == []


def test_no_text_of_a_page_is_run(driver: webdriver.Chrome, told: ReportData, tmp_path) -> None:
    text = "<img src=x onerror='window.ran = 1'></script><script>window.ran = 2</script>"
    failed = ArmReport("failed", {}, failure=text, remark=text, spec={text: [text]})
    named = replace(
        told.arms[1], name=text, metrics={text: 0.5, f"{text}/{text}": 0.5}, note=text, remark=text,
        diagnostics={text: text}, plots={text: [(0.0, 0.1), (1.0, 0.2)]}, views=(ViewReport(text, ((text,),)),),
    )  # fmt: skip
    data = replace(
        told, title=text, about=text, arms=(failed, named), recipe={text: text}, skipped=(text,), notes=(text,),
        left_out={text: text}, classes=(text, text, text),
    )  # fmt: skip
    address = write_page(tmp_path / "report.html", data).as_uri()
    driver.get_log("browser")
    driver.get(address)
    WebDriverWait(driver, 60).until(lambda chrome: text in chrome.find_element(By.TAG_NAME, "body").text)
    assert driver.execute_script("return window.ran") is None
    assert driver.execute_script("return document.querySelectorAll('img[onerror]').length") == 0
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
