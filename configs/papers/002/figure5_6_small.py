"""Meng et al., representative class selection, Figures 5 and 6.

The maps of every pair and of every layer, and their fusion, on PartWorld.
"""

name = "002_figure5_6_small"
cost = "3 minutes on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
_single = dict(name="single", **_recipe)
_softmax = dict(_single, loss="softmax")
_alone = dict(name="none", exclusive=True)  # one network for all classes: softmax on images with a single label
_clusters = dict(name="false_positive_clusters", clusters=4, min_size=2, trainer=_softmax)
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_stages = dict(name="gradcam", layers="stages")
_pair = dict(name="binary_pair", **dict(_recipe, schedule="constant", lr=3e-3, head_lr=1e-2, epochs=10))

extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": dict(grouper=_alone, trainer=_softmax, note="one network for all classes"),
    "representatives": dict(
        grouper=_clusters, trainer=_pair, extractor=_stages, fusers=[_a, _f], note="the page shows every pair's map too"
    ),
    "layers": dict(
        grouper=_alone, trainer=_softmax, extractor=_stages, fusers=[_a], note="the page shows every stage's map too"
    ),
}
metrics = [dict(name="miou")]
report = dict(images=60)
