"""Do clusters of classes recover PartWorld's super-classes, and do they help more than chance and more networks?

``camforge bench families --seeds 3``. "families_ari" is the adjusted Rand index to the four families. Each way to group
stands beside random groups of the same sizes and beside as many networks without any grouping.
"""

name = "families"
cost = "8 minutes per seed on 2 cores"
dataset = dict(name="partworld", train=2000)
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3, schedule="onecycle",
    epochs=4, batch_size=32,
)  # fmt: skip
_single = dict(name="single", **_recipe)
_sgd = dict(
    name="single",
    backbone=dict(name="small", widths=[16, 32, 64, 64], strides=[2, 2, 1, 1], blocks=["residual"] * 4),
    optimizer="sgd", lr=0.3, weight_decay=5e-4, schedule="onecycle", epochs=5, batch_size=32,
)  # fmt: skip
_pair = dict(name="binary_pair", **dict(_recipe, schedule="constant", lr=3e-3, head_lr=1e-2, epochs=4))
_levels = dict(name="hierarchy", rest="image", reduce="max")
_pairs = dict(name="mean", axis="view")


def _rows(trainer, normalize):
    """Two levels, 12 and 4 outputs, by K-means of a network's rows."""
    return dict(
        grouper=dict(name="kmeans_hierarchy", sizes=[4], normalize=normalize, trainer=trainer), fusers=[_levels]
    )


_mistakes = dict(name="false_positive_clusters", clusters=4, min_size=2, trainer=dict(_single, loss="softmax"))

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "one network": dict(note="no grouping"),
    "K-means, raw rows, AdamW": _rows(_single, None),
    "K-means, L2 rows, AdamW": _rows(_single, "l2"),
    "K-means, raw rows, SGD": _rows(_sgd, None),
    "K-means, L2 rows, SGD": _rows(_sgd, "l2"),
    "control: random groups": dict(grouper=dict(name="random_hierarchy", sizes=[4]), fusers=[_levels]),
    "control: two networks": dict(
        trainer=dict(name="two_branch_orthogonal", weight=0.0, **_recipe), fusers=[dict(name="mean", axis="branch")]
    ),
    "mistakes, S-1 pairs": dict(grouper=_mistakes, trainer=_pair, fusers=[_pairs]),
    "control: random pairs": dict(
        grouper=dict(name="false_positive_clusters", select="random", clusters=4), trainer=_pair, fusers=[_pairs],
        note="as many pair networks, partners drawn at random",
    ),
}  # fmt: skip
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=24)
