"""Meng et al., representative class selection, Table 4.

Selections with small networks.
"""

name = "002_table4"
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
    "VGG-19": dict(name="torchvision", arch="vgg19", weights="IMAGENET1K_V1"),
    "ResNet-18": dict(name="torchvision", arch="resnet18", weights="IMAGENET1K_V1"),
    "MobileNetV2": dict(name="torchvision", arch="mobilenet_v2", weights="IMAGENET1K_V1"),
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
    "Baseline, VGG-19": {"miou": 22.43},
    "Random+F, VGG-19": {"miou": 32.02},
    "Random+A+F, VGG-19": {"miou": 34.54},
    "Rank-a+F, VGG-19": {"miou": 34.62},
    "Rank-a+A+F, VGG-19": {"miou": 35.87},
    "Rank-b+F, VGG-19": {"miou": 32.09},
    "Rank-b+A+F, VGG-19": {"miou": 32.97},
    "S-1+F, VGG-19": {"miou": 33.54},
    "S-1+A+F, VGG-19": {"miou": 34.62},
    "S-2+F, VGG-19": {"miou": 32.56},
    "S-2+A+F, VGG-19": {"miou": 33.37},
    "S-3+F, VGG-19": {"miou": 32.85},
    "S-3+A+F, VGG-19": {"miou": 34.83},
    "S-4+F, VGG-19": {"miou": 31.24},
    "S-4+A+F, VGG-19": {"miou": 34.95},
    "Baseline, ResNet-18": {"miou": 19.65},
    "Random+F, ResNet-18": {"miou": 24.57},
    "Random+A+F, ResNet-18": {"miou": 30.83},
    "Rank-a+F, ResNet-18": {"miou": 25.19},
    "Rank-a+A+F, ResNet-18": {"miou": 31.23},
    "Rank-b+F, ResNet-18": {"miou": 24.4},
    "Rank-b+A+F, ResNet-18": {"miou": 30.73},
    "S-1+F, ResNet-18": {"miou": 24.53},
    "S-1+A+F, ResNet-18": {"miou": 29.55},
    "S-2+F, ResNet-18": {"miou": 24.88},
    "S-2+A+F, ResNet-18": {"miou": 30.9},
    "S-3+F, ResNet-18": {"miou": 24.61},
    "S-3+A+F, ResNet-18": {"miou": 30.73},
    "S-4+F, ResNet-18": {"miou": 24.36},
    "S-4+A+F, ResNet-18": {"miou": 30.73},
    "Baseline, MobileNetV2": {"miou": 25.54},
    "Random+F, MobileNetV2": {"miou": 26.07},
    "Random+A+F, MobileNetV2": {"miou": 23.03},
    "Rank-a+F, MobileNetV2": {"miou": 26.31},
    "Rank-a+A+F, MobileNetV2": {"miou": 23.89},
    "Rank-b+F, MobileNetV2": {"miou": 25.86},
    "Rank-b+A+F, MobileNetV2": {"miou": 23.28},
    "S-1+F, MobileNetV2": {"miou": 25.19},
    "S-1+A+F, MobileNetV2": {"miou": 22.74},
    "S-2+F, MobileNetV2": {"miou": 25.47},
    "S-2+A+F, MobileNetV2": {"miou": 23.0},
    "S-3+F, MobileNetV2": {"miou": 25.76},
    "S-3+A+F, MobileNetV2": {"miou": 23.23},
    "S-4+F, MobileNetV2": {"miou": 26.21},
    "S-4+A+F, MobileNetV2": {"miou": 23.45},
}
