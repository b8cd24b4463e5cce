"""Meng et al., representative class selection, Table 1.

Its rows Grad-CAM and All, from every pair of classes, 190 networks.
"""

name = "002_table1"
cost = "days on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", masks="SegmentationClassAug"
)
images = dict(size=224, fit="crop")

_resnet = dict(name="torchvision", arch="resnet152", weights="IMAGENET1K_V1")
_single = dict(name="single", loss="softmax", backbone=_resnet, epochs=200, batch_size=24, lr=1e-4, schedule="plateau")
_pair = dict(name="binary_pair", backbone=_resnet, lr=1e-4, schedule="constant", batch_size=24, epochs=10)
_everything = dict(name="false_positive_clusters", select="random", clusters=19)  # all others of each class
_alone = dict(name="none", exclusive=True)  # images with a single label

extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": dict(grouper=_alone, trainer=_single),
    "All": dict(grouper=_everything, trainer=_pair, fusers=[dict(name="mean", axis="view")]),
}
metrics = [dict(name="miou")]

paper = {  # the paper's numbers on VOC val
    "All": {"miou": 35.22},
    "Grad-CAM": {"miou": 27.24},
}
