"""Huang et al. 2019, multiple level class grouping, Figure 5.

The map of every level, and their fusion, on PartWorld.
"""

name = "000_figure5_small"
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
_clusters = dict(name="kmeans_hierarchy", sizes=[7, 5, 3], trainer=_single)

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "baseline": dict(note="Grad-CAM on one network"),
    "ours": dict(
        grouper=_clusters, trainer=_orthogonal, fusers=[_branches, _levels], note="the page shows every level's map too"
    ),
}
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=60)
