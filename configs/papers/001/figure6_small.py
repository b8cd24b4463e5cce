"""Meng et al. 2020, hierarchical class grouping, Figure 6.

The maps of two branches with and without the orthogonal module, on PartWorld.
"""

name = "001_figure6_small"
cost = "3 minutes on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
_orthogonal = dict(name="two_branch_orthogonal", features="maps", weight=1e-4, **_recipe)
_branches = dict(name="mean", axis="branch")
_independent = dict(name="two_branch_orthogonal", weight=0.0, **_recipe)

trainer = _orthogonal
extractor = dict(name="gradcam")
fusers = [_branches]
arms = {
    "independent": dict(trainer=_independent, note="two branches without the orthogonal module"),
    "orthogonal": dict(note="the page shows each branch's map too"),
}
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=60)
