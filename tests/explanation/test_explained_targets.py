"""Targets of people: boxes of detectors, regions of segmentation, texts, embeddings; each held to a plain gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from camforge import CamForgeError, explain
from camforge.explanation.targets import DetectedBox, ForTexts, Regions, SimilarTo

HIRES = {"name": "hirescam", "layers": ["stem"]}


class Features(nn.Module):
    """A convolution and a head that may return anything."""

    def __init__(self, head: nn.Module, channels: int = 4) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, channels, 3, padding=1), head

    def forward(self, images: Tensor) -> Any:
        return self.head(self.stem(images))


def expected(model: Features, images: Tensor, score: Any) -> Tensor:
    """Activation times gradient of a score of the model's output, summed over channels."""
    hidden = model.stem(images).detach().requires_grad_()
    gradient = torch.autograd.grad(score(model.head(hidden)).sum(), hidden)[0]
    return (hidden * gradient).sum(1).detach()


class YoloHead(nn.Module):
    """Every pixel is an anchor: centre, size, objectness and three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Conv2d(4, 8, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        out = self.out(hidden).flatten(2).transpose(1, 2)
        side = hidden.shape[-1]
        place = torch.arange(side * side)
        centre = torch.stack([place % side + 0.5, place // side + 0.5], 1) + 0.1 * out[..., :2].tanh()
        return torch.cat([centre, 2 + out[..., 2:4].sigmoid(), out[..., 4:]], 2)


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 8, 8)


def test_a_box_of_a_yolo_like_head(images: Tensor) -> None:
    model = Features(YoloHead())
    boxes = torch.tensor([[1.0, 1, 4, 4], [4, 2, 7, 5]])
    anchors = [2 * 8 + 2, 3 * 8 + 5]  # the pixels in the middle of the boxes
    for what, column in (("objectness", 4), ("x0", None), ("class", None)):
        found = explain(model, images, 0, HIRES, select=DetectedBox(boxes, what=what))

        def score(out: Tensor, what: str = what, column: int | None = column) -> Tensor:
            rows = torch.stack([out[i, anchor] for i, anchor in enumerate(anchors)])
            values = {"x0": rows[:, 0] - rows[:, 2] / 2, "class": rows[:, 5:].amax(1)}
            return values[what] if column is None else rows[:, column]

        torch.testing.assert_close(found.maps, expected(model, images, score))


def test_a_box_of_one_class(images: Tensor) -> None:
    model, wanted = Features(YoloHead()), (2.0, 3.0, 6.0, 7.0)
    with torch.no_grad():
        out = model(images)[0].tolist()

    def overlap(x: float, y: float, w: float, h: float) -> float:
        sides = [
            min(wanted[2 + axis], centre + side / 2) - max(wanted[axis], centre - side / 2)
            for axis, (centre, side) in enumerate(((x, w), (y, h)))
        ]
        common = max(sides[0], 0) * max(sides[1], 0)
        return common / (16 + w * h - common)

    for label in range(3):
        rows = [row for row in out if max(range(3), key=lambda c, row=row: row[5 + c]) == label]
        best = max(rows, key=lambda row: overlap(*row[:4]))
        found = explain(model, images[:1], 0, HIRES, select=DetectedBox(wanted, label=label))
        assert float(found.logits[0, 0]) == pytest.approx(best[5 + label], abs=1e-5)
    with pytest.raises(CamForgeError, match="label 3: the detector has classes 0 to 2"):
        explain(model, images[:1], 0, HIRES, select=DetectedBox(wanted, label=3))


def test_a_box_of_detr() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is an extra")
    output = transformers.models.detr.modeling_detr.DetrObjectDetectionOutput(
        logits=torch.tensor([[[1.0, 5.0, 9.0], [4.0, 2.0, 9.0]]], requires_grad=True),
        pred_boxes=torch.tensor([[[0.25, 0.25, 0.5, 0.5], [0.75, 0.5, 0.5, 1.0]]]),
    )
    select = DetectedBox([50, 10, 100, 60], size=(60, 100))
    assert select(output).tolist() == [[4.0]]
    assert DetectedBox([0, 0, 40, 40], size=(60, 100))(output).tolist() == [[5.0]]
    assert DetectedBox([50, 10, 100, 60], what="x0", size=(60, 100))(output).tolist() == [[50.0]]
    with pytest.raises(CamForgeError, match=r"shares of the input: give size=\(H, W\)"):
        DetectedBox([0, 0, 1, 1])(output)
    with pytest.raises(CamForgeError, match="what='objectness': this detector tells none"):
        DetectedBox([0, 0, 40, 40], what="objectness", size=(60, 100))(output)


def test_a_box_of_torchvisions_detectors() -> None:
    torch.manual_seed(0)
    options = {"weights": None, "weights_backbone": None, "num_classes": 3, "min_size": 64, "max_size": 64}
    model = fasterrcnn_mobilenet_v3_large_320_fpn(**options, box_score_thresh=0.0, box_detections_per_img=5).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        detected = model(image)[0]
    assert len(detected["boxes"])
    number = len(detected["boxes"]) - 1
    select = DetectedBox(detected["boxes"][number], label=int(detected["labels"][number]))
    found = explain(model, image, 0, {"name": "gradcam", "layers": ["backbone.body.16"]}, select=select)
    torch.testing.assert_close(found.logits[0, 0], detected["scores"][number])
    assert found.maps.shape == (1, 64, 64)
    with pytest.raises(CamForgeError, match=r"image 0: no detected box of class 0 overlaps"):
        DetectedBox([0, 0, 64, 64], label=0)([detected])
    with pytest.raises(CamForgeError, match="2 boxes for 1 images"):
        DetectedBox([[0, 0, 64, 64]] * 2)([detected])


@pytest.mark.parametrize("own", [True, False])
def test_regions_of_segmentation(images: Tensor, own: bool) -> None:
    model = Features(nn.Conv2d(4, 3, 3, padding=1))
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[2:5, 3:7] = True

    def score(out: Tensor) -> Tensor:
        scores = []
        for one in out:
            region = one.argmax(0) == 1 if own else mask
            scores.append(one[1][region].mean())
        return torch.stack(scores)

    found = explain(model, images, 1, HIRES, select=Regions(None if own else mask))
    torch.testing.assert_close(found.maps, expected(model, images, score))
    torch.testing.assert_close(found.logits[:, 1], score(model(images)))


def test_torchvisions_segmentation_networks() -> None:
    model = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    image = torch.rand(1, 3, 64, 64)
    found = explain(model, image, top=1, extractor={"name": "layercam", "layers": ["backbone.16"]}, select=Regions())
    assert found.maps.shape == (1, 64, 64)
    scores = model(image)["out"][0]
    region = scores.argmax(0) == found.targets[0]
    torch.testing.assert_close(found.logits[0, found.targets[0]], scores[found.targets[0]][region].mean())
    with pytest.raises(CamForgeError, match=r"the mask is \(1, 9, 9\), the scores are \(1, 4, 64, 64\)"):
        explain(model, image, 0, select=Regions(torch.ones(9, 9)))
    with pytest.raises(CamForgeError, match=r"a Tensor holds no scores \(N, C, h, w\) of pixels"):
        Regions()(torch.zeros(2, 3))


def test_another_images_embedding(images: Tensor) -> None:
    model = Features(nn.Sequential(nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)))
    other = model(images[1:])[0]
    found = explain(model, images[:1], SimilarTo(other), HIRES)
    score = lambda out: cosine_similarity(out[0], other.detach(), dim=0)  # noqa: E731
    torch.testing.assert_close(found.maps, expected(model, images[:1], score))
    assert found.label(0) == "similar"
    with pytest.raises(CamForgeError, match=r"the image has \(5,\), the other \(4,\)"):
        explain(model, images[:1], SimilarTo(torch.ones(4)), HIRES)


def test_texts_for_clip_of_transformers() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is an extra")
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        vision_config={**small, "image_size": 32, "patch_size": 8, "projection_dim": 8},
        text_config={**small, "vocab_size": 99, "projection_dim": 8, "max_position_embeddings": 8, "eos_token_id": 98},
        projection_dim=8,
    )
    model = transformers.CLIPModel(config).eval()
    ids = torch.tensor([[1, 5, 98], [1, 7, 98]])

    def tokenize(text: list[str], **_: Any) -> dict[str, Tensor]:
        assert text == ["a cat", "a dog"]
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    images = torch.randn(2, 3, 32, 32)
    texts = ForTexts(model, ["a cat", "a dog"], tokenize)
    expected = model(input_ids=ids, pixel_values=images, attention_mask=torch.ones_like(ids)).logits_per_image
    layer = "model.vision_model.encoder.layers.1.layer_norm1"
    found = explain(texts, images, "a dog", {"name": "layercam", "layers": [layer]})
    torch.testing.assert_close(found.logits, expected)
    assert (found.targets.tolist(), found.labels) == ([1, 1], ("a dog", "a dog"))
    with pytest.raises(CamForgeError, match="ForTexts: a Linear encodes no texts"):
        ForTexts(nn.Linear(2, 2), ["a"], tokenize)


def test_texts_for_clip_of_open_clip() -> None:
    open_clip = pytest.importorskip("open_clip", reason="open_clip is an extra")
    torch.manual_seed(0)
    vision = {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    model = open_clip.CLIP(embed_dim=8, vision_cfg=vision, text_cfg=text).eval()
    tokenize = open_clip.SimpleTokenizer(context_length=8)
    texts = ForTexts(model, ["a cat", "a dog"], tokenize)
    images = torch.randn(2, 3, 32, 32)
    image, words, scale = model(images, tokenize(["a cat", "a dog"]))[:3]
    layer = "model.visual.transformer.resblocks.1.ln_1"
    found = explain(texts, images, ["a cat", "a dog"], {"name": "gradcam", "layers": [layer]})
    torch.testing.assert_close(found.logits, scale * image @ words.T)
    assert found.maps.shape == (2, 32, 32)


def likeness(box: list[float], label: int | None, other: list[float], shares: list[float], sure: float) -> float:
    """IoU times the cosine with the label alone times objectness."""
    sides = [min(box[2 + k], other[2 + k]) - max(box[k], other[k]) for k in (0, 1)]
    common = max(sides[0], 0) * max(sides[1], 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    cosine = 1 if label is None else shares[label] / sum(share**2 for share in shares) ** 0.5
    return common / (sum(areas) - common) * cosine * sure


@pytest.mark.parametrize("label", [None, 1])
def test_the_similarity_of_d_rise(images: Tensor, label: int | None) -> None:
    wanted = [2.0, 3.0, 6.0, 7.0]
    select = DetectedBox(wanted, label, what="similarity")
    yolo = Features(YoloHead())(images[:1]).detach()
    rows = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2, sure, c) for x, y, w, h, sure, *c in yolo[0].tolist()]
    best = max(likeness(wanted, label, row[:4], row[5], row[4]) for row in rows)
    assert float(select(yolo)) == pytest.approx(best, rel=1e-5)

    found = {"boxes": torch.tensor([[1.0, 3, 5, 7], [2, 3, 6, 6]]), "labels": torch.tensor([1, 0])}
    found["scores"] = torch.tensor([0.5, 0.9])
    parts = zip(found["boxes"].tolist(), [[0, 0.5], [0.9, 0]], [0.5, 0.9], strict=True)
    assert float(select([found])) == pytest.approx(max(likeness(wanted, label, *part) for part in parts), rel=1e-5)

    nothing = {name: value[:0] for name, value in found.items()}
    assert select([found, nothing])[1].tolist() == [0]
    assert DetectedBox(wanted, 9, what="similarity")([found]).tolist() == [[0]]


def test_the_similarity_of_detr() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is an extra")
    logits, boxes = (
        torch.randn(1, 3, 4),
        torch.tensor([[[0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.4, 1.0], [0.7, 0.5, 0.3, 0.2]]]),
    )
    output = transformers.models.detr.modeling_detr.DetrObjectDetectionOutput(logits=logits, pred_boxes=boxes)
    corners = [
        [100 * (x - w / 2), 60 * (y - h / 2), 100 * (x + w / 2), 60 * (y + h / 2)] for x, y, w, h in boxes[0].tolist()
    ]
    wanted, best = [20.0, 10.0, 60.0, 50.0], 0.0
    for corner, row in zip(corners, logits[0].softmax(1).tolist(), strict=True):
        best = max(best, likeness(wanted, 2, corner, row[:3], 1 - row[3]))
    select = DetectedBox(wanted, 2, what="similarity", size=(60, 100))
    assert float(select(output)) == pytest.approx(best, rel=1e-5)


def tiny_detectors() -> dict[str, Any]:
    """RT-DETR, Deformable DETR and YOLOS of five classes, small enough for a test."""
    transformers = pytest.importorskip("transformers", reason="transformers is an extra")
    small = {"d_model": 32, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "encoder_layers": 1, "decoder_layers": 2}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 6, "num_labels": 5}
    resnet = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    backbone = transformers.ResNetConfig(**resnet, out_features=["stage2", "stage3", "stage4"])
    kind = transformers.RTDetrResNetConfig(**resnet, out_features=["stage2", "stage3", "stage4"])
    rt = transformers.RTDetrConfig(
        backbone_config=kind, encoder_hidden_dim=32, encoder_in_channels=[8, 16, 16], decoder_in_channels=[32, 32, 32],
        feat_strides=[8, 16, 32], hidden_expansion=0.5, **small, **heads,
    )  # fmt: skip
    deformable = transformers.DeformableDetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone,
        num_feature_levels=3, **small, **heads,
    )  # fmt: skip
    yolos = transformers.YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=[64, 64],
        patch_size=16, num_detection_tokens=6, num_labels=5,
    )  # fmt: skip
    torch.manual_seed(0)
    return {
        "rt": transformers.RTDetrForObjectDetection(rt).eval(),
        "deformable": transformers.DeformableDetrForObjectDetection(deformable).eval(),
        "yolos": transformers.YolosForObjectDetection(yolos).eval(),
    }


@pytest.mark.parametrize("kind", ["rt", "deformable", "yolos"])
def test_no_class_of_a_detector_is_dropped(kind: str) -> None:
    """The last of five classes is found in networks with three logits per box, and "no object" in those with four."""
    model, image = tiny_detectors()[kind], torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        found = model(image)
        raised = torch.zeros(found.logits.shape[-1])
        raised[4] = 100
        for head in (m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == len(raised)):
            head.bias += raised
        found = model(image)
    logits, (x, y, w, h) = found.logits[0], found.pred_boxes[0, 3].tolist()
    assert logits.shape[1] == (6 if kind == "yolos" else 5)
    box = [64 * side for side in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
    options = {"extractor": "occlusion", "targets": 0}
    one = explain(model, image, **options, select=DetectedBox(box, label=4, size=(64, 64)))
    assert one.label(0).startswith("class 4 in box ")
    torch.testing.assert_close(one.logits[0, 0], logits[3, 4])
    like = explain(model, image, **options, select=DetectedBox(box, 4, "similarity", (64, 64)))
    shares = logits.softmax(1)[:, :5] if kind == "yolos" else logits.sigmoid()
    sure = 1 - logits.softmax(1)[:, 5] if kind == "yolos" else shares.amax(1)
    corners = [
        [64 * (a - c / 2), 64 * (b - d / 2), 64 * (a + c / 2), 64 * (b + d / 2)]
        for a, b, c, d in found.pred_boxes[0].tolist()
    ]
    best = max(likeness(box, 4, *row) for row in zip(corners, shares.tolist(), sure.tolist(), strict=True))
    assert float(like.logits[0, 0]) == pytest.approx(best, rel=1e-4)


class Bright(nn.Module):
    """A detector that finds a box where one corner of the image is bright, sure of it as that is."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> list[dict[str, Tensor]]:
        sure = images[:, :, :8, :8].mean((1, 2, 3))
        box, label = torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([1])
        return [{"boxes": box[: s > 0.3], "labels": label[: s > 0.3], "scores": s[None][: s > 0.3]} for s in sure]


def test_d_rise_finds_what_a_detector_looks_at() -> None:
    """Also where the detector finds nothing any more."""
    select = DetectedBox([0, 0, 8, 8], label=1, what="similarity")
    found = explain(Bright(), torch.ones(1, 3, 32, 32), 0, {"name": "drise", "samples": 300, "cells": 4}, select=select)
    inside, outside = found.maps[0, :8, :8].mean(), found.maps[0, 16:, 16:].mean()
    assert float(inside) > 1.5 * float(outside)


def test_detectors_and_segmentation_networks_without_select() -> None:
    """The highest output is the class of the best box; maps are those of that box."""
    torch.manual_seed(0)
    options = {"weights": None, "weights_backbone": None, "num_classes": 3, "min_size": 64, "max_size": 64}
    detector = fasterrcnn_mobilenet_v3_large_320_fpn(**options, box_score_thresh=0.0, box_detections_per_img=5).eval()
    image, layer = torch.rand(1, 3, 64, 64), {"name": "odam", "layers": ["backbone.body.16"]}
    with torch.no_grad():
        best = {name: value[0] for name, value in detector(image)[0].items()}
    found = explain(detector, image, extractor=layer)
    assert found.logits.shape == (1, 3)
    assert int(found.targets) == int(best["labels"])
    torch.testing.assert_close(found.logits.max(), best["scores"])
    of_box = explain(detector, image, 0, layer, select=DetectedBox(best["boxes"], int(best["labels"])))
    torch.testing.assert_close(found.maps, of_box.maps)

    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    plain, chosen = (explain(network, image, select=select) for select in (None, Regions()))
    torch.testing.assert_close(plain.maps, chosen.maps)


def test_detr_and_segformer_without_select() -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is an extra")
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    detr = transformers.DetrForObjectDetection(
        transformers.DetrConfig(
            use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, d_model=16,
            encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=4,
            encoder_ffn_dim=16, decoder_ffn_dim=16, num_labels=3,
        )
    ).eval()  # fmt: skip
    images = torch.rand(2, 3, 64, 64)
    found = explain(detr, images, extractor=["odam", "generic_attention"])
    with torch.no_grad():
        logits = detr(images).logits
    torch.testing.assert_close(found["odam"].logits, logits[..., :3].amax(1))
    assert found["generic_attention"].maps.abs().sum() > 0
    one = explain(detr, images[:1], 0, "odam", select=DetectedBox([0, 0, 64, 64], size=(64, 64)))
    assert one.maps.shape == (1, 64, 64)

    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[7, 3], strides=[4, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=8, num_labels=3,
    )  # fmt: skip
    segformer = transformers.SegformerForSemanticSegmentation(config).eval()
    with torch.no_grad():
        scores = segformer(images).logits
    torch.testing.assert_close(explain(segformer, images, 1).logits, Regions()(scores))
