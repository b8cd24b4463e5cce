"""Huang et al. 2019, multiple level class grouping, Table 2.

Each idea alone, and both, with their controls.
"""

name = "000_table2"
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
_independent = dict(name="two_branch_orthogonal", weight=0.0, **_recipe)
_clusters = dict(name="kmeans_hierarchy", sizes=[12, 8, 5], trainer=_single)

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "neither": dict(note="Grad-CAM on one network"),
    "orthogonal": dict(trainer=_orthogonal, fusers=[_branches]),
    "clustering": dict(grouper=_clusters, fusers=[_levels]),
    "both": dict(grouper=_clusters, trainer=_orthogonal, fusers=[_branches, _levels]),
    "control: independent branches": dict(trainer=_independent, fusers=[_branches]),
    "control: random clusters": dict(
        grouper=dict(name="random_hierarchy", like=_clusters), fusers=[_levels], note="the same sizes, other members"
    ),
}
metrics = [dict(name="miou"), dict(name="mlev")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "neither": {"miou": 23.59, "mlev": 68.5, "miou@train": 28.37, "mlev@train": 64.49},
    "orthogonal": {"miou": 24.32, "mlev": 67.26, "miou@train": 29.34, "mlev@train": 62.84},
    "clustering": {"miou": 24.95, "mlev": 67.53, "miou@train": 29.04, "mlev@train": 63.19},
    "both": {"miou": 25.97, "mlev": 65.08, "miou@train": 30.24, "mlev@train": 61.82},
}
