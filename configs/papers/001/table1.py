"""Meng et al. 2020, hierarchical class grouping, Table 1.

Clusters per level.
"""

name = "001_table1"
cost = "a day on a GPU, not measured"
dataset = dict(name="voc", root="data/VOCdevkit", train="Segmentation/train_aug")
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(name="torchvision", arch="resnet50", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
)  # fmt: skip
_single = dict(name="single", **_recipe)
_orthogonal = dict(name="two_branch_orthogonal", weight=1e-4, **_recipe)
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
    "N = {20, 15}": _grouped([15]),
    "N = {20, 15, 11}": _grouped([15, 11]),
    "N = {20, 15, 11, 8}": _grouped([15, 11, 8]),
    "N = {20, 15, 11, 8, 6}": _grouped([15, 11, 8, 6]),
    "N = {20, 10}": _grouped([10]),
    "N = {20, 10, 5}": _grouped([10, 5]),
    "N = {20, 10, 5, 3}": _grouped([10, 5, 3]),
    "N = {20, 10, 5, 3, 2}": _grouped([10, 5, 3, 2]),
}
metrics = [dict(name="miou"), dict(name="mlev")]

paper = {  # the paper's numbers on VOC val
    "N = {20}": {"miou": 23.59, "mlev": 68.5},
    "N = {20, 12}": {"miou": 24.73, "mlev": 67.86},
    "N = {20, 12, 8}": {"miou": 25.75, "mlev": 65.77},
    "N = {20, 12, 8, 5}": {"miou": 25.97, "mlev": 65.08},
    "N = {20, 12, 8, 5, 2}": {"miou": 25.53, "mlev": 65.81},
    "N = {20, 15}": {"miou": 25.56, "mlev": 65.71},
    "N = {20, 15, 11}": {"miou": 25.86, "mlev": 65.19},
    "N = {20, 15, 11, 8}": {"miou": 26.08, "mlev": 64.92},
    "N = {20, 15, 11, 8, 6}": {"miou": 25.91, "mlev": 65.17},
    "N = {20, 10}": {"miou": 25.83, "mlev": 65.23},
    "N = {20, 10, 5}": {"miou": 25.92, "mlev": 65.15},
    "N = {20, 10, 5, 3}": {"miou": 25.53, "mlev": 65.5},
    "N = {20, 10, 5, 3, 2}": {"miou": 24.25, "mlev": 67.13},
}
