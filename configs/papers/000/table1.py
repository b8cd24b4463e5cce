"""Huang et al. 2019, multiple level class grouping, Table 1.

Clusters per level.
"""

name = "000_table1"
cost = "a day on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", masks="SegmentationClassAug"
)
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(name="torchvision", arch="resnet50", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
)  # fmt: skip
_single = dict(name="single", **_recipe)
_orthogonal = dict(name="two_branch_orthogonal", features="maps", weight=1e-4, **_recipe)
_branches = dict(name="mean", axis="branch")
_levels = dict(name="hierarchy", rest="image", reduce="max")


def _grouped(sizes):
    """Both ideas of the paper: levels from the rows of a plain network, each level two orthogonal branches."""
    grouper = dict(name="kmeans_hierarchy", sizes=sizes, trainer=_single)
    return dict(grouper=grouper, trainer=_orthogonal, fusers=[_branches, _levels])


trainer = _single
extractor = dict(name="gradcam")
arms = {
    "N = {20}": dict(note="Grad-CAM on one network"),
    "N = {20, 12}": _grouped([12]),
    "N = {20, 12, 8}": _grouped([12, 8]),
    "N = {20, 12, 8, 5}": _grouped([12, 8, 5]),
    "N = {20, 12, 8, 5, 2}": _grouped([12, 8, 5, 2]),
}
metrics = [dict(name="miou"), dict(name="mlev")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "N = {20}": {"miou": 23.59, "mlev": 68.5, "miou@train": 28.37, "mlev@train": 64.49},
    "N = {20, 12}": {"miou": 24.73, "mlev": 67.86, "miou@train": 29.15, "mlev@train": 63.7},
    "N = {20, 12, 8}": {"miou": 25.75, "mlev": 65.77, "miou@train": 29.67, "mlev@train": 63.02},
    "N = {20, 12, 8, 5}": {"miou": 25.97, "mlev": 65.08, "miou@train": 30.24, "mlev@train": 61.82},
    "N = {20, 12, 8, 5, 2}": {"miou": 25.53, "mlev": 65.81, "miou@train": 29.68, "mlev@train": 62.56},
}
