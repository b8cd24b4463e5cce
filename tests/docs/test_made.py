"""What the documentation says of the code is what the code says of itself."""

import sys

import pytest
from pages import DOCS

sys.path.insert(0, str(DOCS / "tools"))

from gallery import cards, scene
from shape import shaped
from tables import MADE, experiment, plugins, refreshed

from camforge.experiment.schema import Experiment
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


def test_the_gallery_has_a_picture_of_every_extractor(tmp_path):
    made = {card.name: card for card in cards(scene(tmp_path, TINY))}
    assert set(made) == set(registry().plugins["extractor"])
    without = {name: card.reason for name, card in made.items() if not card.picture}
    assert set(without) <= {"legrad"}, without  # it reads the attention of vision transformers
    assert all(card.picture.startswith(b"RIFF") for card in made.values() if card.picture)


def test_docstrings_keep_their_shape():
    aligned, example = "images  (B, 3, H, W)\nlabels  (B, C) bool", "class A(B):\n    name = 'a'\n\n    x = 1"
    text = f"What it is.\n\n{aligned}\n\nPlain <words> of ``a < b``.\n\n{example}"
    assert shaped(text) == (
        f"What it is.\n\n```text\n{aligned}\n```\n\nPlain &lt;words> of ``a < b``.\n\n```python\n{example}\n```"
    )
