"""Results, groupings, maps and experiments show and save themselves."""

import csv
import json
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from camforge import CamForgeError, Explanation, build, run
from camforge.config.load import load
from camforge.config.schema import Experiment
from camforge.notebook import show
from camforge.pictures import CAPTION, MARGIN, overlay
from camforge.pipeline.results import Results
from camforge.types import Grouping, Maps, View

EXPERIMENT = """
name = "shown"
dataset = dict(name="partworld", size=32, train=64, val=12)
images = dict(size=32)
trainer = dict(name="single", epochs=1, lr=0.01, batch_size=32,
               backbone=dict(name="small", stem=4, widths=[8, 8], strides=[2, 1], blocks=["plain", "plain"]))
arms = {
    "plain": dict(extractor=dict(name="gradcam"), note="<b>as it is"),
    "families": dict(grouper=dict(name="given"), extractor=dict(name="layercam", layers="stages"),
                     fusers=[dict(name="sum", axis="layer"), dict(name="hierarchy")]),
}
metrics = [dict(name="miou"), dict(name="mlev")]
report = dict(images=3)
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shown") / "shown.py"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="module")
def results(config) -> Results:
    return run(config, work_dir=config.parent / "work", device="cpu", quiet=True)


@pytest.fixture(scope="module")
def experiment(config) -> Experiment:
    return load(config).experiment


def table_of(html: str, place: int = 0) -> list[list[str]]:
    """The cells' texts, row by row; the parser refuses HTML that is not well-formed."""
    table = ElementTree.fromstring(html).findall(".//table")[place]
    return [["".join(cell.itertext()).strip() for cell in row] for row in table.iter("tr")]


def pixels(png: bytes) -> Tensor:
    return torch.from_numpy(np.array(Image.open(BytesIO(png)))).permute(2, 0, 1)


def test_results_show_every_arm_and_control_with_its_numbers(results):
    rows = {row[0]: row[1:] for row in table_of(results._repr_html_())[1:]}
    numbers = results.arms | results.controls
    assert set(rows) == set(numbers)
    assert {name: row[0] for name, row in rows.items()} == {name: f"{m['miou']:.2f}" for name, m in numbers.items()}


def test_a_note_is_text_and_not_html(results):
    assert "&lt;b&gt;as it is" in results._repr_html_()


def test_the_best_number_of_a_column_is_bold(results):
    lower = min(metrics["mlev"] for metrics in results.arms.values())
    bold = [element.text for element in ElementTree.fromstring(results._repr_html_()).findall(".//td/b")]
    assert f"{lower:.2f}" in bold


def test_results_save_all_digits_as_csv(results, tmp_path):
    rows = list(csv.DictReader(results.save(tmp_path / "numbers.csv").open()))
    assert {row["arm"]: float(row["miou"]) for row in rows} == {
        name: metrics["miou"] for name, metrics in (results.arms | results.controls).items()
    }


def test_results_save_the_page_and_the_picture(results, tmp_path):
    assert results.save(tmp_path / "page.html").read_bytes() == results.report.read_bytes()
    saved = Image.open(results.save(tmp_path / "picture.png"))
    assert pixels(results.plot()._repr_png_()).shape[1:] == saved.size[::-1]


def test_another_ending_is_refused_with_the_list(results, tmp_path):
    with pytest.raises(CamForgeError, match=r"numbers\.xlsx.*\.csv, \.html, \.png"):
        results.save(tmp_path / "numbers.xlsx")


def test_maps_of_an_arm_are_those_of_the_gallery(results):
    maps = results.maps("plain")
    images = results.report_data.gallery
    assert [(int(i), int(c)) for i, c in zip(maps.images, maps.classes, strict=True)] == [
        (i, int(c)) for i, image in enumerate(images) for c in image.labels.nonzero().flatten()
    ]
    for values, i, c in zip(maps.values, maps.images, maps.classes, strict=True):
        assert torch.equal(values, images[int(i)].maps["plain"][int(c)])


def test_a_misspelt_arm_is_answered_with_the_nearest(results):
    with pytest.raises(CamForgeError, match="did you mean 'plain'"):
        results.maps("plian")


def test_trained_networks_come_back_and_explain(results):
    from camforge import explain

    network = results.models["plain"][0].networks[0]
    normalised = (
        results.photographs.float() / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    ) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    maps = results.maps("plain")
    again = explain(network, normalised[maps.images], maps.classes, "gradcam")
    torch.testing.assert_close(again.maps, maps.values, rtol=1e-4, atol=1e-6)


def test_a_grouping_tells_its_classes_by_name(results):
    rows = table_of(results.groupings["families"]._repr_html_())
    families = build("dataset", "partworld").open("val").taxonomy
    assert rows[1][2] == "12"
    assert rows[2][3] == " · ".join(", ".join(members) for members in families.values())


def test_a_grouping_draws_each_group_once(results):
    svg = results.groupings["families"].plot()._repr_svg_()
    titles = [t.text for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]
    families = build("dataset", "partworld").open("val").taxonomy
    assert sorted(titles) == sorted(
        [", ".join(m) for m in families.values()] + [c for m in families.values() for c in m]
    )


def test_pairs_are_drawn_as_a_matrix():
    pairs = (View("a or b", ("a", "b"), (0, 1, None), 1), View("c or a", ("c", "a"), (1, None, 0), 1))
    svg = Grouping((View.identity(("a", "b", "c")), *pairs)).plot().svg
    titles = {t.text for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")}
    assert titles == {"a against b", "b against a", "a against c", "c against a"}


def test_a_grouping_saves_its_views(results, tmp_path):
    grouping = results.groupings["families"]
    saved = json.loads(grouping.save(tmp_path / "groups.json").read_text())
    assert [tuple(view["assignment"]) for view in saved["views"]] == [view.assignment for view in grouping.views]
    assert grouping.save(tmp_path / "groups.svg").read_text() == grouping.plot().svg
    with pytest.raises(CamForgeError, match=r"\.json, \.svg"):
        grouping.save(tmp_path / "groups.png")


def maps_of(values: Tensor, axes: tuple[str, ...] = ()) -> Maps:
    """Two pairs of one image; the second has no map in view 1."""
    valid = torch.tensor([[True, True], [True, False]])
    labels = torch.tensor([[True, True]])
    return Maps(values, axes, torch.tensor([0, 0]), torch.tensor([0, 1]), valid, valid.long(), labels)


def test_maps_count_what_they_hold():
    values = torch.zeros(2, 2, 8, 8)
    values[0, 1, 3, 3] = 2.5
    rows = dict(table_of(maps_of(values, ("view",))._repr_html_()))
    assert rows == {"axes left to fuse": "view (2)", "values": "0 to 2.5", "empty maps": "1"}


def test_a_plot_of_maps_is_made_of_overlays_of_their_photographs():
    photographs = torch.randint(0, 256, (1, 3, 160, 160), dtype=torch.uint8)
    values = torch.rand(2, 2, 160, 160)
    shown = pixels(maps_of(values, ("view",)).plot(photographs, ("cat", "dog"))._repr_png_())
    top, left = MARGIN + CAPTION, MARGIN + 160 + MARGIN
    assert torch.equal(shown[:, top : top + 160, MARGIN : MARGIN + 160], photographs[0])
    assert torch.equal(shown[:, top : top + 160, left : left + 160], overlay(photographs[0], values[0, 0]))
    assert shown.shape[2] == MARGIN + 3 * (160 + MARGIN)  # the photograph and two views


def test_maps_come_back_from_their_file(tmp_path):
    maps = maps_of(torch.randn(2, 2, 8, 8), ("view",))
    read = torch.load(maps.save(tmp_path / "maps.pt"), weights_only=True)
    assert read["axes"] == ("view",)
    assert all(torch.equal(read[name], getattr(maps, name)) for name in ("values", "images", "classes", "valid"))


def explained(images: list[int], maps: Tensor) -> Explanation:
    """An explanation of output 0 of those images."""
    pairs = torch.tensor(images), torch.zeros(len(images), dtype=torch.int64)
    return Explanation(maps, *pairs, torch.zeros(max(images) + 1, 2), ("layer",), "gradcam")


def test_show_lays_named_maps_out_in_columns():
    photographs = torch.randint(0, 256, (2, 3, 200, 200), dtype=torch.uint8)
    maps = {"one": explained([0, 1], torch.rand(2, 200, 200)), "two": explained([0, 0, 1, 1], torch.rand(4, 200, 200))}
    shown = show(maps, photographs).pixels
    height, width = 2 * (200 + CAPTION + MARGIN) + MARGIN, 4 * (200 + MARGIN) + MARGIN
    assert shown.shape == (3, height, width)
    last = shown[:, height - MARGIN - 200 : height - MARGIN, width - MARGIN - 200 : width - MARGIN]
    assert torch.equal(last, overlay(photographs[1], maps["two"].of(1)[1]))


def test_show_refuses_maps_of_other_images():
    with pytest.raises(CamForgeError, match="gradcam explains 3 images; photographs: 2"):
        show({"a": explained([0, 1, 2], torch.zeros(3, 8, 8))}, torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_an_experiment_tells_what_arms_share_and_where_they_differ(experiment):
    html = experiment._repr_html_()
    shared, arms = dict(table_of(html)), table_of(html, 1)
    assert shared["trainer"] == "single(epochs=1, batch_size=32, lr=0.01)"
    assert shared["dataset"] == "partworld(size=32, train=64, val=12)"
    assert arms == [
        ["arm", "grouper", "extractor", "fusers"],
        ["plain", "none", "gradcam", "–"],
        ["families", "given", "layercam(layers=stages)", "sum(axis=layer), hierarchy"],
    ]


@pytest.mark.parametrize("ending", [".yaml", ".json"])
def test_a_saved_experiment_is_the_same_experiment(experiment, tmp_path, ending):
    assert load(experiment.save(tmp_path / f"saved{ending}")).experiment == experiment


def test_showing_costs_nothing_until_asked():
    """types.py is imported by everything: no image library may come with it."""
    import subprocess
    import sys

    heavy = ("PIL", "cv2", "jinja2", "camforge.notebook")
    code = f"import camforge.types, sys; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
