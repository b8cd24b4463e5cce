"""Meng et al., representative class selection, Tables 2 and 3.

Selections with large networks.
"""

name = "002_table2"
cost = "days on a GPU, not measured"
dataset = dict(name="voc", root="data/VOCdevkit", train="Segmentation/train_aug")
images = dict(size=224, fit="crop")

_alone = dict(name="none", exclusive=True)  # the softmax network sees images with a single label
_whole = dict(epochs=200, batch_size=24, lr=1e-4, optimizer="adam", schedule="plateau")
_vgg19 = dict(name="torchvision", arch="vgg19", weights="IMAGENET1K_V1")
_clusters = dict(
    name="false_positive_clusters",
    clusters=4,
    min_size=4,
    trainer=dict(name="single", loss="softmax", backbone=_vgg19, **_whole),
)
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_stages = dict(name="gradcam", layers="stages")
_selections = {
    "Random": dict(select="random"),
    "Rank-a": dict(select="rank", positions=[3, 9, 14, 17]),
    "Rank-b": dict(select="rank", positions=[3, 8, 13, 18]),
    "S-1": dict(select="s_k", k=1),
    "S-2": dict(select="s_k", k=2),
    "S-3": dict(select="s_k", k=3),
    "S-4": dict(select="s_k", k=4),
}
_columns = {
    "ResNet-50": dict(name="torchvision", arch="resnet50", weights="IMAGENET1K_V1"),
    "ResNet-101": dict(name="torchvision", arch="resnet101", weights="IMAGENET1K_V1"),
    "ResNet-152": dict(name="torchvision", arch="resnet152", weights="IMAGENET1K_V1"),
}


def _rows(backbone):
    """The rows of one column: plain Grad-CAM, then each selection with F, and with A and F."""
    pair = dict(name="binary_pair", lr=1e-4, batch_size=24, epochs=10, backbone=backbone)
    yield "Baseline", dict(grouper=_alone, trainer=dict(name="single", loss="softmax", backbone=backbone, **_whole))
    for row, options in _selections.items():
        grouper = dict(_clusters, **options)
        yield f"{row}+F", dict(grouper=grouper, trainer=pair, fusers=[_f])
        yield f"{row}+A+F", dict(grouper=grouper, trainer=pair, extractor=_stages, fusers=[_a, _f])


extractor = dict(name="gradcam")
arms = {f"{row}, {column}": arm for column, backbone in _columns.items() for row, arm in _rows(backbone)}
metrics = [dict(name="miou")]

paper = {  # the paper's numbers on VOC val
    "Baseline, ResNet-50": {"miou": 25.49},
    "Random+F, ResNet-50": {"miou": 27.06},
    "Random+A+F, ResNet-50": {"miou": 28.77},
    "Rank-a+F, ResNet-50": {"miou": 27.03},
    "Rank-a+A+F, ResNet-50": {"miou": 29.34},
    "Rank-b+F, ResNet-50": {"miou": 26.64},
    "Rank-b+A+F, ResNet-50": {"miou": 29.17},
    "S-1+F, ResNet-50": {"miou": 27.19},
    "S-1+A+F, ResNet-50": {"miou": 28.4},
    "S-2+F, ResNet-50": {"miou": 27.25},
    "S-2+A+F, ResNet-50": {"miou": 28.66},
    "S-3+F, ResNet-50": {"miou": 26.96},
    "S-3+A+F, ResNet-50": {"miou": 29.4},
    "S-4+F, ResNet-50": {"miou": 26.27},
    "S-4+A+F, ResNet-50": {"miou": 29.89},
    "Baseline, ResNet-101": {"miou": 27.94},
    "Random+F, ResNet-101": {"miou": 26.38},
    "Random+A+F, ResNet-101": {"miou": 32.68},
    "Rank-a+F, ResNet-101": {"miou": 26.54},
    "Rank-a+A+F, ResNet-101": {"miou": 32.57},
    "Rank-b+F, ResNet-101": {"miou": 26.16},
    "Rank-b+A+F, ResNet-101": {"miou": 32.86},
    "S-1+F, ResNet-101": {"miou": 27.25},
    "S-1+A+F, ResNet-101": {"miou": 33.43},
    "S-2+F, ResNet-101": {"miou": 26.72},
    "S-2+A+F, ResNet-101": {"miou": 32.88},
    "S-3+F, ResNet-101": {"miou": 26.03},
    "S-3+A+F, ResNet-101": {"miou": 32.0},
    "S-4+F, ResNet-101": {"miou": 25.45},
    "S-4+A+F, ResNet-101": {"miou": 32.57},
    "Baseline, ResNet-152": {"miou": 27.24},
    "Random+F, ResNet-152": {"miou": 25.72},
    "Random+A+F, ResNet-152": {"miou": 33.56},
    "Rank-a+F, ResNet-152": {"miou": 25.8},
    "Rank-a+A+F, ResNet-152": {"miou": 33.39},
    "Rank-b+F, ResNet-152": {"miou": 25.37},
    "Rank-b+A+F, ResNet-152": {"miou": 33.3},
    "S-1+F, ResNet-152": {"miou": 26.6},
    "S-1+A+F, ResNet-152": {"miou": 34.66},
    "S-2+F, ResNet-152": {"miou": 26.14},
    "S-2+A+F, ResNet-152": {"miou": 33.48},
    "S-3+F, ResNet-152": {"miou": 25.78},
    "S-3+A+F, ResNet-152": {"miou": 33.44},
    "S-4+F, ResNet-152": {"miou": 24.76},
    "S-4+A+F, ResNet-152": {"miou": 32.95},
}
