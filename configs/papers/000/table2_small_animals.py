"""Huang et al. 2019, multiple level class grouping, Table 2.

Each idea alone, and both, with their controls, on six animals of PASCAL VOC.
"""

name = "000_table2_small_animals"
cost = "14 minutes on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
_single = dict(name="single", **_recipe)
_orthogonal = dict(name="two_branch_orthogonal", features="maps", weight=1e-4, **_recipe)
_branches = dict(name="mean", axis="branch")
_levels = dict(name="hierarchy", rest="image", reduce="max")
_independent = dict(name="two_branch_orthogonal", weight=0.0, **_recipe)
_clusters = dict(name="kmeans_hierarchy", sizes=[4, 2], trainer=_single)

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
