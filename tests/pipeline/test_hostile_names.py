"""Names from a stranger's files: shown as text, and no path made of them leaves the folder it belongs to."""

import json
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import camforge
from camforge.analysis.export import export
from camforge.data.inspection import contact
from camforge.files import file_name, free_name
from camforge.progress.progress import Progress
from camforge.progress.terminal import Count, TerminalView
from camforge.store.maintenance import list_entries
from camforge.suite.run import SuiteResults

CLASSES = ("../../up", "<script>window.ran = 1</script>", '"; [/b] {{ 7 * 7 }} & onload="x')
ARMS = ("../<img src=x onerror='window.ran = 2'>", "a'b\"c </script>")
PER_CLASS = 4


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes with such names, in wsolevaluation's lists, whose image ids lead up and down, and hostile.json."""
    inputs = tmp_path_factory.mktemp("hostile") / "inputs"
    for split in ("train", "val"):
        (inputs / "lists" / split).mkdir(parents=True)
        images = {f"../{split}/<b>'{c}{i}.png": c for c in range(3) for i in range(PER_CLASS)}
        for place, (image, c) in enumerate(images.items()):
            path = inputs / "root" / image
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(place).integers(0, 255, (16, 16, 3), dtype=np.uint8)
            pixels[..., c] //= 4
            Image.fromarray(pixels).save(path)
        (inputs / "root").mkdir(exist_ok=True)
        lines = {
            "image_ids": images, "class_labels": (f"{i},{c}" for i, c in images.items()),
            "image_sizes": (f"{i},16,16" for i in images), "localization": (f"{i},2,2,9,9" for i in images),
        }  # fmt: skip
        for name, rows in lines.items():
            (inputs / "lists" / split / f"{name}.txt").write_text("\n".join(rows))
    (inputs / "names.txt").write_text("\n".join(CLASSES))
    small = {"name": "small", "stem": 4, "widths": [4], "strides": [2], "blocks": ["plain"]}
    pairs = {"name": "false_positive_clusters", "select": "random", "clusters": 2, "min_images": 1}
    config = {
        "name": "hostile",
        "about": "</title><script>window.ran = 3</script>",
        "dataset": {
            "name": "wsol", "root": str(inputs / "root"), "metadata": str(inputs / "lists"),
            "names": str(inputs / "names.txt"),
        },
        "images": {"size": 16},
        "trainer": {"name": "single", "backbone": small, "epochs": 1},
        "extractor": {"name": "gradcam"},
        "arms": {
            ARMS[0]: {"note": "<i>"},
            ARMS[1]: {"grouper": pairs, "fusers": [{"name": "mean", "axis": "view"}]},
        },
        "metrics": [{"name": "maxboxacc"}],
        "report": {"images": 2, "loggers": ["tensorboard"]},
    }  # fmt: skip
    (inputs / "hostile.json").write_text(json.dumps(config))
    return inputs


@pytest.fixture(scope="module")
def suite(inputs: Path) -> SuiteResults:
    """A finished suite, deep enough in its folder that what leads up by two would be seen."""
    work = inputs.parent / "a" / "b" / "suite"
    return camforge.bench(str(inputs / "hostile.json"), work_dir=work, device="cpu", quiet=True)


class Tags(HTMLParser):
    """The tags that a browser would make, with their attributes, and all text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.slow
def test_no_path_leaves_its_folder(inputs: Path, suite: SuiteResults) -> None:
    assert suite.failures == {}
    made, work = suite.folder.parent, suite.folder / "hostile" / "seed-0"
    for place, arm in enumerate(ARMS):
        export(work, made / f"seeds{place}", arm=arm, split="val", device="cpu", quiet=True)
    masks = sorted(path.name for path in (made / "seeds0" / "masks").iterdir())
    assert masks == sorted(f"_val__b_'{c}{i}.png.png" for c in range(3) for i in range(PER_CLASS))
    assert len(list((work / "logs").iterdir())) == 1 + 3  # a training of all classes, one of each pair
    assert len(list(list_entries(suite.folder / "store"))) > 4
    assert contact(camforge.build("dataset", config(inputs)["dataset"]), "val", 3).shape[0] == 3
    assert sorted(path.name for path in made.iterdir()) == ["seeds0", "seeds1", "suite"]
    assert sorted(path.name for path in inputs.parent.glob("*")) == ["a", "inputs"]
    assert sorted(path.name for path in inputs.glob("*")) == [
        "hostile.json",
        "lists",
        "names.txt",
        "root",
        "train",
        "val",
    ]


@pytest.mark.slow
def test_pages_show_names_and_make_nothing_of_them(suite: SuiteResults) -> None:
    pages = {path.name: Tags(path.read_text()) for path in suite.folder.rglob("*.html")}
    assert set(pages) == {"index.html", "suite.html", "report.html"}
    for page in pages.values():
        scripts = [attributes for tag, attributes in page.found if tag == "script"]
        assert len([attributes for attributes in scripts if attributes.get("type") != "application/json"]) == 1
        assert not {"img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.found}
        assert not [key for _, attributes in page.found for key in attributes if key.startswith("on")]
        (policy,) = [a["content"] for _, a in page.found if a.get("http-equiv") == "Content-Security-Policy"]
        assert str(policy).startswith("default-src 'none'; ")
        assert all(arm in page.text for arm in ARMS)
    assert all(name in pages["report.html"].text for name in CLASSES)


@pytest.mark.slow
def test_a_browser_runs_nothing_of_a_name(suite: SuiteResults, driver: webdriver.Chrome) -> None:
    for path in suite.folder.rglob("*.html"):
        driver.get_log("browser")
        driver.get(path.as_uri())
        WebDriverWait(driver, 60).until(
            lambda chrome: chrome.execute_script("return document.readyState") == "complete"
        )
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert driver.execute_script("return window.ran") is None
        shown = driver.find_element(By.TAG_NAME, "body").text
        assert all(name in shown for name in ARMS)
        elsewhere = "return [...document.querySelectorAll('a[href]')].map(link => link.href)"
        assert all(link.startswith(suite.folder.as_uri()) for link in driver.execute_script(elsewhere)), path


def config(inputs: Path) -> dict[str, Any]:
    return json.loads((inputs / "hostile.json").read_text())


def test_the_view_and_the_lines_show_a_name_as_it_is() -> None:
    name, console = "train [/b] or [red]", Console(file=StringIO(), width=200)
    view = TerminalView(console, name, (name,))
    view.task = name, Count(0.0)
    console.print(view.drawn())
    Progress(console=console).say(name)
    assert console.file.getvalue().count(name) == 4  # the heading, the stage, the task at hand, the line


def test_file_names() -> None:
    assert [file_name(text) for text in ("../a/b", "..", "", "a\\b\0c\nd", "café")] == [
        "_a_b", "_", "_", "a_b_c_d", "café",
    ]  # fmt: skip
    windows = ("control: all", 'x<y>z|"?*', "dots. .", "con", "NUL.txt", "com7", "console", "a.con")
    assert [file_name(text) for text in windows] == [
        "control_ all", "x_y_z____", "dots", "_con", "_NUL.txt", "_com7", "console", "a.con",
    ]  # fmt: skip


@pytest.mark.parametrize("letter", ["l", "日"])
def test_names_that_are_too_long_for_a_file(letter: str, tmp_path: Path) -> None:
    names = {free_name(letter * 300 + end, set()) for end in ("", "a", "b")}
    assert len(names) == 3
    for name in names:
        assert name.startswith(letter * 60)
        (tmp_path / f"{name}--2.json").touch()
    assert file_name("l" * 200) == "l" * 200


def test_no_two_texts_get_one_file_name() -> None:
    """Not in a file system either that takes upper for lower case."""
    taken: set[str] = set()
    texts = ("x > 1", "x < 1", "X < 1", "x _ 1--2", "x > 1", "y")
    names = [free_name(text, taken) for text in texts]
    assert names == ["x _ 1", "x _ 1--2", "X _ 1--3", "x _ 1--2--2", "x _ 1--4", "y"]
    assert len({name.casefold() for name in names}) == len(texts)
