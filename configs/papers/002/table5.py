"""Meng et al., representative class selection, Table 5.

Other methods.
"""

name = "002_table5"
cost = "days on a GPU, not measured"
dataset = dict(name="voc", root="data/VOCdevkit", train="Segmentation/train_aug")
images = dict(size=224, fit="crop")

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
_resnet101 = dict(name="torchvision", arch="resnet101", weights="IMAGENET1K_V1")
_pair = dict(name="binary_pair", lr=1e-4, batch_size=24, epochs=10, backbone=_resnet101)


def _single(backbone):
    return dict(name="single", backbone=backbone, **_whole)


extractor = dict(name="gradcam")
arms = {
    "CAM": dict(trainer=_single(_resnet101), extractor=dict(name="cam")),
    "Grad-CAM": dict(trainer=_single(_resnet101)),
    "ACoL": dict(
        trainer=dict(name="acol", backbone=_vgg19, **_whole), extractor=dict(name="cam"),
        fusers=[dict(name="max", axis="branch", normalise="max")],
    ),
    "CBAM": dict(trainer=_single(dict(name="cbam", arch="resnet50", weights="IMAGENET1K_V1"))),
    "ours without fusion": dict(grouper=_clusters, trainer=_pair, fusers=[_f]),
    "ours": dict(grouper=_clusters, trainer=_pair, extractor=_stages, fusers=[_a, _f]),
}  # fmt: skip
metrics = [dict(name="miou")]

paper = {  # the paper's numbers on VOC val
    "CAM": {"miou": 24.54},
    "Grad-CAM": {"miou": 27.94},
    "ACoL": {"miou": 19.42},
    "CBAM": {"miou": 17.63},
    "ours without fusion": {"miou": 27.25},
    "ours": {"miou": 33.43},
}
