"""Meng et al., representative class selection, Tables 2 to 4.

Selections, on PartWorld.
"""

name = "002_table2_small"
cost = "4 minutes on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
_single = dict(name="single", **_recipe)
_softmax = dict(_single, loss="softmax")
_clusters = dict(name="false_positive_clusters", clusters=4, min_size=2, trainer=_softmax)
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_stages = dict(name="gradcam", layers="stages")
_pair = dict(name="binary_pair", **dict(_recipe, schedule="constant", lr=3e-3, head_lr=1e-2, epochs=10))
_selections = {
    "Random": dict(select="random"),
    "Rank-a": dict(select="rank", positions=[3, 9, 14, 17]),
    "Rank-b": dict(select="rank", positions=[3, 8, 13, 18]),
    "S-1": dict(select="s_k", k=1),
    "S-2": dict(select="s_k", k=2),
    "S-3": dict(select="s_k", k=3),
    "S-4": dict(select="s_k", k=4),
}
_alone = dict(name="none", exclusive=True)  # the softmax network sees images with a single label


def _rows():
    """Plain Grad-CAM, alone and with A, then each selection with F, and with A and F."""
    yield "Baseline", dict(grouper=_alone, trainer=_softmax)
    yield "Baseline, multi-label", dict(note="one network on all images, binary cross entropy")
    yield (
        "Baseline, multi-label+A",
        dict(extractor=_stages, fusers=[_a], note="control: the multi-layer product without pairs"),
    )
    for row, options in _selections.items():
        grouper = dict(_clusters, **options)
        yield f"{row}+F", dict(grouper=grouper, trainer=_pair, fusers=[_f])
        yield f"{row}+A+F", dict(grouper=grouper, trainer=_pair, extractor=_stages, fusers=[_a, _f])


trainer = _single
extractor = dict(name="gradcam")
arms = dict(_rows())
metrics = [dict(name="miou"), dict(name="coverage")]
measure_on = ["val", "train"]

paper = {  # Table 4, ResNet-18, VOC val
    "Baseline": {"miou": 19.65},
    "Random+F": {"miou": 24.57},
    "Random+A+F": {"miou": 30.83},
    "Rank-a+F": {"miou": 25.19},
    "Rank-a+A+F": {"miou": 31.23},
    "Rank-b+F": {"miou": 24.4},
    "Rank-b+A+F": {"miou": 30.73},
    "S-1+F": {"miou": 24.53},
    "S-1+A+F": {"miou": 29.55},
    "S-2+F": {"miou": 24.88},
    "S-2+A+F": {"miou": 30.9},
    "S-3+F": {"miou": 24.61},
    "S-3+A+F": {"miou": 30.73},
    "S-4+F": {"miou": 24.36},
    "S-4+A+F": {"miou": 30.73},
}
