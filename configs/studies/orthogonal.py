"""Which reading of the orthogonal constraint trains: features, reduction and weight of its term, beside lambda = 0.

``camforge bench orthogonal --seeds 3``. The networks' records (the store's ``history.json``, the page's curves) hold
both classification losses, the term and both branches' norms of every epoch.
"""

name = "orthogonal"
about = "Two branches under the orthogonal constraint in every reading, beside two without it and beside one network."
cost = "15 minutes per seed on 2 cores"
dataset = dict(name="partworld", train=2000)
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3, schedule="onecycle",
    epochs=4, batch_size=32,
)  # fmt: skip
_single = dict(name="single", **_recipe)


def _two(**options):
    """Two branches, averaged."""
    return dict(
        trainer=dict(name="two_branch_orthogonal", **options, **_recipe),
        fusers=[dict(name="mean", axis="branch", normalise="max")],
    )


trainer = _single
extractor = dict(name="gradcam")
arms = {"one network": dict(), "two independent": _two(weight=0.0)} | {
    f"{features}, {reduction}, {weight:.0e}": _two(features=features, reduction=reduction, weight=weight)
    for features in ("maps", "pooled")
    for reduction in ("sum", "batch_mean")
    for weight in (1e-6, 1e-5, 1e-4)
}
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=12)
