"""Meng et al., representative class selection, Tables 2 and 3.

Selections with large networks.
"""

name = "002_table2"
cost = "days on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", masks="SegmentationClassAug"
)
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
    pair = dict(name="binary_pair", lr=1e-4, schedule="constant", batch_size=24, epochs=10, backbone=backbone)
    yield "Baseline", dict(grouper=_alone, trainer=dict(name="single", loss="softmax", backbone=backbone, **_whole))
    for row, options in _selections.items():
        grouper = dict(_clusters, **options)
        yield f"{row}+F", dict(grouper=grouper, trainer=pair, fusers=[_f])
        yield f"{row}+A+F", dict(grouper=grouper, trainer=pair, extractor=_stages, fusers=[_a, _f])


extractor = dict(name="gradcam")
arms = {f"{row}, {column}": arm for column, backbone in _columns.items() for row, arm in _rows(backbone)}
metrics = [dict(name="miou")]
measure_on = ["val", "train"]

paper = {  # Table 2, and Table 3's of the training split
    "Baseline, ResNet-50": {"miou": 25.49, "miou@train": 27.72},
    "Random+F, ResNet-50": {"miou": 27.06, "miou@train": 28.92},
    "Random+A+F, ResNet-50": {"miou": 28.77, "miou@train": 30.15},
    "Rank-a+F, ResNet-50": {"miou": 27.03, "miou@train": 29.15},
    "Rank-a+A+F, ResNet-50": {"miou": 29.34, "miou@train": 30.33},
    "Rank-b+F, ResNet-50": {"miou": 26.64, "miou@train": 29.04},
    "Rank-b+A+F, ResNet-50": {"miou": 29.17, "miou@train": 30.23},
    "S-1+F, ResNet-50": {"miou": 27.19, "miou@train": 29.53},
    "S-1+A+F, ResNet-50": {"miou": 28.4, "miou@train": 29.72},
    "S-2+F, ResNet-50": {"miou": 27.25, "miou@train": 29.41},
    "S-2+A+F, ResNet-50": {"miou": 28.66, "miou@train": 29.76},
    "S-3+F, ResNet-50": {"miou": 26.96, "miou@train": 29.08},
    "S-3+A+F, ResNet-50": {"miou": 29.4, "miou@train": 30.26},
    "S-4+F, ResNet-50": {"miou": 26.27, "miou@train": 28.69},
    "S-4+A+F, ResNet-50": {"miou": 29.89, "miou@train": 31.01},
    "Baseline, ResNet-101": {"miou": 27.94, "miou@train": 29.41},
    "Random+F, ResNet-101": {"miou": 26.38, "miou@train": 28.97},
    "Random+A+F, ResNet-101": {"miou": 32.68, "miou@train": 33.8},
    "Rank-a+F, ResNet-101": {"miou": 26.54, "miou@train": 28.88},
    "Rank-a+A+F, ResNet-101": {"miou": 32.57, "miou@train": 33.98},
    "Rank-b+F, ResNet-101": {"miou": 26.16, "miou@train": 28.51},
    "Rank-b+A+F, ResNet-101": {"miou": 32.86, "miou@train": 33.98},
    "S-1+F, ResNet-101": {"miou": 27.25, "miou@train": 29.39},
    "S-1+A+F, ResNet-101": {"miou": 33.43, "miou@train": 34.43},
    "S-2+F, ResNet-101": {"miou": 26.72, "miou@train": 28.74},
    "S-2+A+F, ResNet-101": {"miou": 32.88, "miou@train": 34.26},
    "S-3+F, ResNet-101": {"miou": 26.03, "miou@train": 28.35},
    "S-3+A+F, ResNet-101": {"miou": 32, "miou@train": 33.17},
    "S-4+F, ResNet-101": {"miou": 25.45, "miou@train": 27.72},
    "S-4+A+F, ResNet-101": {"miou": 32.57, "miou@train": 33.68},
    "Baseline, ResNet-152": {"miou": 27.24, "miou@train": 29.21},
    "Random+F, ResNet-152": {"miou": 25.72, "miou@train": 27.87},
    "Random+A+F, ResNet-152": {"miou": 33.56, "miou@train": 35.11},
    "Rank-a+F, ResNet-152": {"miou": 25.8, "miou@train": 27.86},
    "Rank-a+A+F, ResNet-152": {"miou": 33.39, "miou@train": 34.96},
    "Rank-b+F, ResNet-152": {"miou": 25.37, "miou@train": 27.57},
    "Rank-b+A+F, ResNet-152": {"miou": 33.3, "miou@train": 34.71},
    "S-1+F, ResNet-152": {"miou": 26.6, "miou@train": 28.75},
    "S-1+A+F, ResNet-152": {"miou": 34.66, "miou@train": 35.93},
    "S-2+F, ResNet-152": {"miou": 26.14, "miou@train": 28.05},
    "S-2+A+F, ResNet-152": {"miou": 33.48, "miou@train": 34.75},
    "S-3+F, ResNet-152": {"miou": 25.78, "miou@train": 27.94},
    "S-3+A+F, ResNet-152": {"miou": 33.44, "miou@train": 34.82},
    "S-4+F, ResNet-152": {"miou": 24.76, "miou@train": 26.96},
    "S-4+A+F, ResNet-152": {"miou": 32.95, "miou@train": 34.22},
}
