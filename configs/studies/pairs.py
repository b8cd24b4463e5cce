"""Why do pairs not help on PartWorld? The recipe of ``../papers/002/table2_small.py``, one thing changed at a time.

``camforge bench pairs --seeds 3``: S-1 pairs and, as control, pairs at random, with and without the product of layers.
"""

name = "pairs"
about = "Two-class networks in the paper's recipe, its choices undone one by one, beside one network of all classes."
cost = "10 minutes per seed on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
_softmax = dict(name="single", loss="softmax", **_recipe)
_pair = dict(name="binary_pair", **dict(_recipe, schedule="constant", lr=3e-3, head_lr=1e-2, epochs=10))
_stages = dict(name="gradcam", layers="stages")
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_raw = dict(name="product_with_last", normalise="none")
_s1 = dict(name="false_positive_clusters", clusters=4, min_size=2, trainer=_softmax)
_random = dict(name="false_positive_clusters", clusters=4, select="random")
_alone = dict(name="none", exclusive=True)  # the softmax network sees images with a single label


def _rows():
    """One network of all classes; then each way to train the pairs."""
    yield "one network", dict(grouper=_alone, trainer=_softmax)
    yield "one network+A", dict(grouper=_alone, trainer=_softmax, extractor=_stages, fusers=[_a])
    for way, options in {
        "as printed": {},
        "no stop": dict(stop_at_accuracy=None),
        "balanced": dict(balanced=True),
    }.items():
        pair = dict(_pair, **options)
        yield f"{way}: S-1+F", dict(grouper=_s1, trainer=pair, fusers=[_f])
        yield f"{way}: S-1+A+F", dict(grouper=_s1, trainer=pair, extractor=_stages, fusers=[_a, _f])
    yield "control: random pairs+F", dict(grouper=_random, trainer=_pair, fusers=[_f])
    yield "control: random pairs+A+F", dict(grouper=_random, trainer=_pair, extractor=_stages, fusers=[_a, _f])
    products = dict(grouper=_s1, trainer=_pair, extractor=_stages, fusers=[_raw, _f])
    yield "as printed: S-1+A+F, layers not normalised", products


trainer = _softmax
extractor = dict(name="gradcam")
arms = dict(_rows())
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=12)
