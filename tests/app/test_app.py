"""The live page: what a person does on it in a real browser, and what a stranger cannot do."""

import io
import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

import camforge
from camforge.app.maps import STEPS, Explainer, Question
from camforge.app.server import Server
from camforge.host.registry import build
from camforge.pictures import save, signed_overlay
from camforge.types import CamForgeError


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pixels = build("dataset", {"name": "partworld", "size": 96, "val": 1}).open("val").load(0).image
    return save(tmp_path_factory.mktemp("in") / "photo.png", pixels)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(build("backbone", {"name": "torchvision", "arch": "squeezenet1_1"}).build(1000).body.state_dict(), file)
    return str(file)


@pytest.fixture(scope="module")
def explainer(weights: str) -> Explainer:
    return Explainer("squeezenet1_1", weights, "cpu")


@pytest.fixture(scope="module")
def server(explainer: Explainer) -> Iterator[Server]:
    with Server(explainer) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def values(shown: dict, answer: dict) -> np.ndarray:
    import base64

    steps = np.frombuffer(base64.b64decode(shown["values"]), "<i2").reshape(answer["height"], answer["width"])
    return steps / STEPS * shown["size"]


def test_the_maps_are_those_of_explain_and_the_code_makes_them(
    explainer: Explainer, photograph: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    question = Question("squeezenet1_1", "gradcam,layercam", "stages", "281; tench")
    answer = explainer.answer(photograph.read_bytes(), question)
    assert [(m["label"], m["method"]) for m in answer["maps"]] == [
        (label, f"{name}(layers=stages)") for name in ("gradcam", "layercam") for label in ("tabby", "tench")
    ]
    monkeypatch.chdir(tmp_path)
    shutil.copy(photograph, "photo.jpg")
    names: dict = {}
    exec(answer["code"], names)
    maps = torch.cat([each.maps for each in names["found"].values()])
    for shown, expected in zip(answer["maps"], maps, strict=True):
        error = np.abs(values(shown, answer) - expected.numpy()).max()
        assert error <= shown["size"] / STEPS + 1e-6
    assert Path("gradcam/explanation.json").is_file()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"methods": "gradcan"}, "unknown extractor 'gradcan'; did you mean 'gradcam'"),
        ({"targets": "no such class"}, "target 'no such class': no class of the model is called so"),
        ({"layers": "nowhere"}, "the model has no layer 'nowhere'"),
        ({"methods": "layercam(truncate=200)"}, "truncate: should be less than 100"),
    ],
)
def test_what_does_not_fit_is_one_line(explainer: Explainer, photograph: Path, changed: dict, said: str) -> None:
    with pytest.raises(CamForgeError) as error:
        explainer.answer(photograph.read_bytes(), Question(**({"model": "squeezenet1_1"} | changed)))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_format_that_no_photograph_has_is_refused(explainer: Explainer) -> None:
    """Pillow has readers that start programs, for EPS; files on the disk are not read with those either."""
    content = io.BytesIO()
    Image.new("RGB", (64, 64)).save(content, "PCX")
    with pytest.raises(CamForgeError, match="this file is no photograph that can be read"):
        explainer.answer(content.getvalue(), Question("squeezenet1_1"))


def test_a_file_that_is_no_photograph(explainer: Explainer) -> None:
    with pytest.raises(CamForgeError, match="this file is no photograph that can be read"):
        explainer.answer(b"<svg onload=alert(1)>", Question("squeezenet1_1"))
    with pytest.raises(CamForgeError, match="top '99': give a number from 1 to 20"):
        Question.read({"model": "a", "methods": "b", "top": "99"})


def status(server: Server, path: str, headers: dict[str, str], body: bytes | None = None) -> int:
    request = urllib.request.Request(server.address.rstrip("/") + path, body, headers)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def test_strangers_get_nothing(server: Server) -> None:
    ours = {"X-CamForge": server.secret}
    assert status(server, "/", {}) == 200
    assert status(server, "/", {"Host": "evil.example"}) == 403  # a name that was bent to this machine
    assert status(server, "/model?model=squeezenet1_1", {}) == 404
    assert status(server, "/model?model=squeezenet1_1", ours) == 200
    assert status(server, "/model?model=squeezenet1_1", ours | {"Host": "evil.example:80"}) == 403
    assert status(server, "/maps?model=squeezenet1_1&methods=gradcam", {"X-CamForge": "guess"}, b"x") == 403
    assert status(server, "/maps?model=squeezenet1_1&methods=gradcam", ours, b"no photograph") == 400
    assert status(server, "/maps", ours | {"Content-Length": str(2**40)}, b"x") == 413
    assert status(server, "/../../etc/passwd", ours) == 404
    assert server.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_one_line(server: Server, explainer: Explainer) -> None:
    with pytest.raises(CamForgeError, match=f"port {server.server_port}: Address already in use"):
        Server(explainer, server.server_port)


PIXELS = """
const canvas = document.querySelectorAll('canvas')[arguments[0]];
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
return [...data].filter((_, i) => i % 4 < 3);
"""
SLIDE = """
const range = document.getElementById(arguments[0]);
range.value = arguments[1];
range.dispatchEvent(new Event('input'));
"""


class Page:
    """The live page in the browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def at(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def until(self, condition: Callable[[], bool]) -> None:
        WebDriverWait(self.driver, 120, 0.1).until(lambda _: condition())

    def drawn(self, canvas: int, like: np.ndarray) -> np.ndarray:
        """The colours of a canvas in the shape of a picture."""
        return np.array(self.driver.execute_script(PIXELS, canvas)).reshape(like.shape)

    def slide(self, name: str, value: int) -> None:
        self.driver.execute_script(SLIDE, name, value)

    def shown(self) -> list[bool]:
        """Which figures are to be seen."""
        return [figure.is_displayed() for figure in self.driver.find_elements(By.TAG_NAME, "figure")]


@pytest.fixture(scope="module")
def page(server: Server, photograph: Path, driver: webdriver.Chrome) -> Page:
    """A photograph is chosen, two methods, and two targets after one that there is not."""
    driver.get(server.address)
    page = Page(driver)
    driver.execute_script("document.querySelector('#methods input[value=layercam]').click()")
    page.at("targets").send_keys("281; <b>no such</b>")
    page.at("file").send_keys(str(photograph))
    page.until(lambda: "no class of the model is called so" in page.at("message").text)
    page.at("targets").clear()
    page.at("targets").send_keys("281; tench")
    page.at("go").click()
    page.until(lambda: page.at("message").text.startswith("4 maps in"))
    return page


def test_a_browser_shows_captions_code_and_layers(page: Page) -> None:
    captions = [each.text for each in page.driver.find_elements(By.TAG_NAME, "figcaption")]
    assert [caption.split(" ")[0] for caption in captions] == ["tabby", "tench"] * 2
    assert "explain(model, ['photo.jpg']".replace("'", '"') in page.at("code").text
    layers = page.driver.execute_script(
        "return [...document.querySelectorAll('#known-layers option')].map(option => option.value)"
    )
    assert layers[:2] == ["last", "stages"]
    assert "features.12" in layers


def test_a_browser_draws_the_maps_as_the_sliders_say(page: Page, server: Server, photograph: Path) -> None:
    plain = np.asarray(Image.open(photograph).convert("RGB"))
    model = camforge.load_model("squeezenet1_1", server.explainer.weights)
    found = camforge.explain(model, str(photograph), [[281, 0]], ["gradcam", "layercam"])["layercam"].maps[0]
    drawn = page.drawn(2, plain).astype(float)
    expected = signed_overlay(torch.from_numpy(plain.copy()).permute(2, 0, 1), found)
    assert np.abs(drawn - expected.permute(1, 2, 0).numpy()).max() <= 3
    page.slide("opacity", 0)
    assert np.array_equal(page.drawn(2, plain), plain)
    page.slide("opacity", 100)
    page.slide("threshold", 60)
    changed, heat = (page.drawn(2, plain) != plain).any(2), found.relu().numpy()
    assert changed.mean() < (drawn != plain).any(2).mean()
    assert not changed[heat < 0.59 * heat.max()].any()


def test_a_browser_shows_one_map_or_all_and_complains_of_nothing(page: Page) -> None:
    page.at("beside").click()
    assert page.shown() == [True, False, False, False]
    page.driver.execute_script(
        "const select = document.getElementById('one'); select.value = 3; select.dispatchEvent(new Event('change'))"
    )
    assert page.shown() == [False, False, False, True]
    lines = page.driver.get_log("browser")
    assert [line for line in lines if line["level"] == "SEVERE" and "400" not in line["message"]] == []


def test_the_command_serves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from camforge.cli.app import app

    asked = []

    def serve(self: Server) -> None:
        with urllib.request.urlopen(self.address) as reply:
            asked.append((reply.headers["Content-Security-Policy"], reply.read().decode()))
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", lambda self: _during(self, serve))
    app(model="squeezenet1_1", browser=False)
    (policy, page), out = asked[0], capsys.readouterr().out
    assert out.startswith("serving http://127.0.0.1:")
    assert out.endswith("until Ctrl-C\nended\n")
    assert "default-src 'none'" in policy
    assert "http" not in page.replace("http-equiv", "")  # nothing from outside
    assert json.loads(page.partition("const CHOSEN = ")[2].partition(";\n")[0])["turbo"][:3] == [48, 18, 59]


def _during(server: Server, do: object) -> None:
    """Serve one request beside ``do``."""
    threading.Thread(target=server.handle_request, daemon=True).start()
    do(server)  # type: ignore[operator]
