"""Meng et al. 2020, hierarchical class grouping, Table 1.

Clusters per level.
"""

name = "001_table1"
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
