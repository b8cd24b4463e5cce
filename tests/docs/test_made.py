"""What the documentation says of the code is what the code says of itself."""

import re
import sys

import pytest
from extractor_references import ATTENTION
from pages import DOCS

sys.path.insert(0, str(DOCS / "tools"))

import yaml
from gallery import cards, scene
from llms import llms
from shape import plain_braces, shaped
from tables import MADE, contracts, experiment, interface, plugins, refreshed

import camforge.api
import camforge.testing
from camforge.config.schema import Experiment
from camforge.host.registry import registry

TINY = (
    "dataset.size=32", "dataset.train=64", "dataset.val=200", "images.size=32", "trainer.epochs=1",
    "trainer.backbone.stem=4", "trainer.backbone.widths=[8,8]", "trainer.backbone.strides=[2,1]",
    'trainer.backbone.blocks=["plain","plain"]', "report.images=200",
)  # fmt: skip


@pytest.mark.parametrize("page", MADE)
def test_the_page_is_what_the_code_says(page):
    """If this fails: ``python docs/tools/refresh.py``."""
    assert (DOCS / page).read_text() == refreshed(page)


def test_every_built_in_is_described():
    text = plugins()
    for kind, offers in registry().plugins.items():
        for name, offer in offers.items():
            assert (f"#{kind}-{name} " in text) == (offer.distribution == "camforge")


def test_every_key_of_an_experiment_is_described():
    text = experiment()
    assert all(f"| `{key}` |" in text for key in Experiment.model_fields)


def test_every_public_name_is_described():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", interface(), re.M))
    assert set(rows) == set(camforge.api.__all__)
    assert rows["VERSION"] == f"`'{camforge.api.VERSION}'`"
    assert rows["Axis"] == r"'view' \| 'branch' \| 'layer'"
    assert "Needs join with ``|``;" in rows["Needs"]
    assert rows["Fuser"].startswith("A fuser reduces one named axis")


def test_every_contract_is_told_by_its_tests():
    told = contracts()
    for name in (name for name in camforge.testing.__all__ if name.endswith("Contract")):
        assert f"## {name}\n" in told
    assert "- the model comes back untouched\n" in told


def test_a_brace_at_the_end_of_a_cell_is_no_attribute():
    """Markdown's attribute lists would swallow the sizes of the papers' tables."""
    assert plain_braces("| N = {20, 12} | 24.7 |\n\nStart\n{ .go }") == "| N = {20, 12&#125; | 24.7 |\n\nStart\n{ .go }"


def test_the_gallery_has_a_picture_of_every_extractor(tmp_path):
    made = {card.name: card for card in cards(scene(tmp_path, TINY))}
    assert set(made) == set(registry().plugins["extractor"])
    without = {name: card.reason for name, card in made.items() if not card.picture}
    others = {
        "beside",
        "pixels",
        "affinitywalk",
        "boundarywalk",
        "lpcam",
    }  # extractors to be named, and networks with a second head
    assert set(without) <= {*ATTENTION, *others}, without  # the rest read what vision transformers have
    assert all(card.picture.startswith(b"RIFF") for card in made.values() if card.picture)


def test_every_page_stands_in_llms_txt():
    """Each page of the navigation with what it is, and no page of the site without a place there."""
    nav = yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text())["nav"]
    text = llms(nav, DOCS)
    found = re.findall(r"^- \[[^\]]+\]\(([\w/-]+)\.html\): (.{20,300})$", text, re.M)
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")}
    assert {name for name, _ in found} == pages


def test_docstrings_keep_their_shape():
    aligned, example = "images  (B, 3, H, W)\nlabels  (B, C) bool", "class A(B):\n    name = 'a'\n\n    x = 1"
    text = f"What it is.\n\n{aligned}\n\nPlain <words> of ``a < b``.\n\n{example}"
    assert shaped(text) == (
        f"What it is.\n\n```text\n{aligned}\n```\n\nPlain &lt;words> of ``a < b``.\n\n```python\n{example}\n```"
    )
