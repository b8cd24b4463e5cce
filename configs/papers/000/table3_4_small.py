"""Huang et al. 2019, multiple level class grouping, Tables 3 and 4.

The mIoU and mLEV beside other methods, on PartWorld.
CBAM's attention stands in the two residual blocks of the small network.
"""

name = "000_table3_4_small"
cost = "6 minutes on 2 cores"
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
_clusters = dict(name="kmeans_hierarchy", sizes=[7, 4], trainer=_single)
_gentle = dict(_recipe, lr=2e-3, head_lr=5e-3)  # no batch norm in its classifiers: a rate of 0.01 kills them
_acol = dict(name="acol", width=64, **_gentle)
_attended = dict(name="small", blocks=["cbam", "cbam", "plain", "plain"])
_cbam = dict(name="single", **dict(_recipe, backbone=_attended))

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "CAM": dict(extractor=dict(name="cam")),
    "Grad-CAM": dict(note="the positive part of CAM, behind a pooled linear head"),
    "CBAM": dict(trainer=_cbam),
    "ACoL": dict(trainer=_acol, extractor=dict(name="cam"), fusers=[dict(name="max", axis="branch", normalise="max")]),
    "ours": dict(grouper=_clusters, trainer=_orthogonal, fusers=[_branches, _levels]),
}
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "CAM": {"miou": 20.9, "mlev": 74.33, "miou@train": 24.69, "mlev@train": 70.32},
    "Grad-CAM": {"miou": 23.59, "mlev": 68.5, "miou@train": 28.37, "mlev@train": 64.49},
    "CBAM": {"miou": 19.93, "mlev": 77.04, "miou@train": 23.85, "mlev@train": 71.47},
    "ACoL": {"miou": 19.52, "mlev": 76.56, "miou@train": 20.41, "mlev@train": 75.32},
    "ours": {"miou": 25.97, "mlev": 65.08, "miou@train": 30.24, "mlev@train": 61.82},
}
