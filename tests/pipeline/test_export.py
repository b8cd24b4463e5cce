"""What ``camforge export`` writes, read back by the libraries that the next step uses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from camforge import CamForgeError, run
from camforge.analysis.export import export
from camforge.analysis.seed_files import UNSURE, class_masks, label_map, voc_palette
from camforge.data.geometry import Geometry
from camforge.pipeline.results import Results
from camforge.types import Sample


@pytest.fixture
def finished(tiny: Path, tmp_path: Path) -> Results:
    tiny.write_text(tiny.read_text().replace("report = dict(images=3)", "report = dict(images=12)"))
    return run(tiny, work_dir=tmp_path / "work", device="cpu", quiet=True)


def test_maps_masks_and_boxes_of_the_validation_images(finished: Results, tmp_path: Path) -> None:
    made = export(finished.folder, tmp_path / "out", arm="both", split="val", threshold=0.3, device="cpu", quiet=True)
    out = tmp_path / "out"
    classes = (out / "classes.txt").read_text().splitlines()
    assert classes == list(finished.report_data.classes)
    with np.load(out / "maps" / "00000.npz") as shard:
        values, images, labels = shard["values"], shard["images"], shard["classes"]
    coco = COCO(out / "boxes.json")
    assert {c["name"] for c in coco.loadCats(coco.getCatIds())} == set(classes)
    boxes = 0
    assert made.images == len(finished.report_data.gallery) == 12
    for image in finished.report_data.gallery:
        scaled = {}
        for label, values_there in image.maps["both"].items():
            (place,) = np.flatnonzero((images == image.id) & (labels == label))
            assert np.allclose(values[place], values_there.numpy(), atol=1e-6)
            scaled[label] = np.maximum(values[place], 0) / max(values[place].max(), 1e-30)
        mask = np.array(Image.open(out / "masks" / f"{image.id}.png"))
        for y, x in np.ndindex(mask.shape):
            best = max(scaled, key=lambda c: scaled[c][y, x])
            expected = 1 + best if scaled[best][y, x] >= 0.3 else 0
            assert mask[y, x] == expected or np.isclose(scaled[best][y, x], 0.3, atol=1e-5)
        (entry,) = [e for e in coco.dataset["images"] if e["file_name"] == image.id]
        assert (entry["height"], entry["width"]) == mask.shape
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[entry["id"]])):
            x, y, width, height = annotation["bbox"]
            inside = scaled[annotation["category_id"] - 1][y : y + height, x : x + width]
            assert (inside >= 0.3 - 1e-5).sum() >= annotation["area"]
            assert (inside[0] >= 0.3 - 1e-5).any()
            assert (inside[:, -1] >= 0.3 - 1e-5).any()
            boxes += 1
    assert boxes == made.boxes > 0


def test_what_is_not_sure_and_how_sure_the_rest_is(finished: Results, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(finished.folder, out, arm="both", split="val", threshold=0.6, background=0.2, device="cpu", quiet=True)
    coco = COCO(out / "masks.json")
    seen = set()
    for entry in coco.dataset["images"]:
        label = np.array(Image.open(out / "masks" / f"{entry['file_name']}.png"))
        with np.load(out / "confidence" / f"{entry['file_name']}.npz") as kept:
            scores, classes = kept["scores"].astype(float), kept["classes"]
        assert scores.max((1, 2)) == pytest.approx(1)
        for y, x in np.ndindex(label.shape):
            best = scores[:, y, x].argmax()
            if abs(scores[best, y, x] - 0.6) < 1e-3 or abs(scores[best, y, x] - 0.2) < 1e-3:  # rounded to a half
                continue
            sure = 1 + classes[best] if scores[best, y, x] > 0.6 else 255
            assert label[y, x] == (0 if scores[best, y, x] < 0.2 else sure) or np.ptp(scores[:, y, x]) < 1e-3
        seen |= set(label.flatten().tolist())
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[entry["id"]]))
        assert {a["category_id"] for a in annotations} == set(label.flatten().tolist()) - {0, 255}
        for annotation in annotations:
            mask = coco.annToMask(annotation).astype(bool)
            assert np.array_equal(mask, label == annotation["category_id"])
            (place,) = np.flatnonzero(classes == annotation["category_id"] - 1)
            assert annotation["score"] == pytest.approx(scores[place][mask].mean(), abs=1e-3)
            assert annotation["area"] == mask.sum()
    assert {0, 255} < seen
    with pytest.raises(CamForgeError, match=r"background 0\.7 and threshold 0\.6: 0 <= background <= threshold <= 1"):
        export(finished.folder, tmp_path / "no", threshold=0.6, background=0.7, quiet=True)


def test_more_classes_than_a_palette_has(finished: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were taken modulo 256, and the 255th for not sure."""
    scaled = torch.tensor([[[1.0, 0.5, 0.1, 0.4]], [[0.2, 0.9, 0.0, 0.4]]])
    classes, inside = torch.tensor([254, 299]), torch.tensor([[True, True, True, True]])
    label = label_map(scaled, classes, inside, threshold=0.5, background=0.3)
    assert label.tolist() == [[255, 300, 0, UNSURE]]
    masks = class_masks(label, scaled, classes, image=1, before=0)
    assert [(mask["category_id"], mask["bbox"]) for mask in masks] == [(255, [0, 0, 1, 1]), (300, [1, 0, 1, 1])]
    monkeypatch.setattr("camforge.analysis.export.PALETTE_CLASSES", 3)
    export(finished.folder, tmp_path / "out", split="val", device="cpu", quiet=True)
    assert not list((tmp_path / "out/masks").iterdir())
    assert len(json.loads((tmp_path / "out/masks.json").read_text())["annotations"]) > 0


def test_training_images_come_without_a_further_training(finished: Results, tmp_path: Path) -> None:
    networks = set((finished.folder / "store").glob("network-*"))
    made = export(finished.folder, tmp_path / "out", device="cpu", quiet=True)
    assert made.images == 64
    assert set((finished.folder / "store").glob("network-*")) == networks
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["config"]["name"] == "tiny"
    with pytest.raises(CamForgeError, match="is there already: name a new folder"):
        export(finished.folder, tmp_path / "out", device="cpu", quiet=True)


def test_nothing_of_the_users_is_removed(finished: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / ".out.partial"
    mine.mkdir()
    (mine / "mine").write_text("precious")
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "link").symlink_to("empty")
    monkeypatch.chdir(empty)
    before = sorted(tmp_path.iterdir())
    for out in (".", empty, "../empty/", "..", "/", tmp_path / "link", tmp_path / ".out.partial"):
        with pytest.raises(CamForgeError, match=r"cannot be replaced: name a new folder|is there already") as refused:
            export(finished.folder, out, arm="both", split="val", device="cpu", quiet=True)
        assert "\n" not in str(refused.value)
    assert sorted(tmp_path.iterdir()) == before
    export(finished.folder, "../out", arm="both", split="val", device="cpu", quiet=True)
    assert (mine / "mine").read_text() == "precious"
    assert set(tmp_path.iterdir()) - set(before) == {tmp_path / "out"}


def test_what_cannot_be_exported(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match="holds no finished experiment"):
        export(tmp_path, tmp_path / "out")
    results = run(tiny, work_dir=tmp_path / "work", device="cpu", quiet=True)
    with pytest.raises(CamForgeError, match="no arm 'famlies'; did you mean 'families'"):
        export(results.folder, tmp_path / "out", arm="famlies")
    with pytest.raises(CamForgeError, match="no split 'test'; splits: train, val"):
        export(results.folder, tmp_path / "out", split="test")
    assert not (tmp_path / "out").exists()


DAMAGED = ["", "{", "[]", "{}", '{"config": 3, "store": "x"}', '{"config": {}, "store": 3}', "[" * 99_999]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_manifest_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").touch()
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CamForgeError, match=r"manifest\.json is not the manifest of a run \("):
        export(tmp_path, tmp_path / "out", quiet=True)


@pytest.mark.parametrize(("height", "width"), [(60, 81), (75, 50), (40, 40)])
def test_a_crop_goes_back_to_where_it_was_cut(height: int, width: int) -> None:
    geometry = Geometry(40, "crop", (0.5,) * 3, (0.25,) * 3)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([y * 3, x * 3, 0 * x]).to(torch.uint8)
    placed = geometry.place(Sample("ramp", image, torch.ones(1, dtype=torch.bool))).image
    back, seen = geometry.back(placed[:2].float(), (height, width))
    inner = seen.clone()
    inner[: height // 20 + 2] = inner[-height // 20 - 2 :] = False
    inner[:, : width // 20 + 2] = inner[:, -width // 20 - 2 :] = False
    edge = torch.nn.functional.max_pool2d((~seen)[None, None].float(), 7, 1, 3)[0, 0] > 0
    whole = inner & ~edge
    assert whole.float().mean() > 0.3
    assert (back - image[:2].float())[:, whole].abs().max() < 3.0  # one pixel is three steps of the ramp
    assert float(seen.float().mean()) == pytest.approx(min(height, width) ** 2 / (height * width), abs=0.05)


def test_a_map_does_not_fade_towards_the_cut() -> None:
    back, seen = Geometry(10, "crop", (0.5,) * 3, (0.25,) * 3).back(torch.ones(2, 10, 10), (90, 120))
    assert torch.equal(back, seen.float().expand(2, -1, -1))
    assert seen.sum() == pytest.approx(90 * 90, rel=0.05)


def test_the_palette_is_vocs() -> None:
    colours = np.frombuffer(voc_palette(), dtype=np.uint8).reshape(256, 3).tolist()
    assert colours[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colours[15] == [192, 128, 128]  # person
    assert colours[255] == [224, 224, 192]  # the border
