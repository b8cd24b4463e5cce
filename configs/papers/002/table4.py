"""Meng et al., representative class selection, Table 4.

Selections with small networks.
"""

name = "002_table4"
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
