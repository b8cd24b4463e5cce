"""Huang et al. 2019, multiple level class grouping, Table 1.

Clusters per level, at the scale of PartWorld's twelve classes.
"""

name = "000_table1_small"
cost = "5 minutes on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
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
    "N = {12}": dict(note="Grad-CAM on one network"),
    "N = {12, 7}": _grouped([7]),
    "N = {12, 7, 5}": _grouped([7, 5]),
    "N = {12, 7, 5, 3}": _grouped([7, 5, 3]),
    "N = {12, 7, 5, 3, 2}": _grouped([7, 5, 3, 2]),
}
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "N = {12}": {"miou": 23.59, "mlev": 68.5, "miou@train": 28.37, "mlev@train": 64.49},
    "N = {12, 7}": {"miou": 24.73, "mlev": 67.86, "miou@train": 29.15, "mlev@train": 63.7},
    "N = {12, 7, 5}": {"miou": 25.75, "mlev": 65.77, "miou@train": 29.67, "mlev@train": 63.02},
    "N = {12, 7, 5, 3}": {"miou": 25.97, "mlev": 65.08, "miou@train": 30.24, "mlev@train": 61.82},
    "N = {12, 7, 5, 3, 2}": {"miou": 25.53, "mlev": 65.81, "miou@train": 29.68, "mlev@train": 62.56},
}
