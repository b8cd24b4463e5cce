"""Meng et al., representative class selection, Table 5.

Other methods, on PartWorld.
"""

name = "002_table5_small"
cost = "4 minutes on 2 cores"
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
# Its classifiers have no batch norm.
_acol = dict(name="acol", loss="softmax", width=64, **dict(_recipe, lr=2e-3, head_lr=5e-3))
_attended = dict(name="small", blocks=["cbam", "cbam", "plain", "plain"])
_cbam = dict(name="single", loss="softmax", **dict(_recipe, backbone=_attended))

trainer = _softmax
extractor = dict(name="gradcam")
arms = {
    "CAM": dict(grouper=_alone, extractor=dict(name="cam")),
    "Grad-CAM": dict(grouper=_alone),
    "ACoL": dict(
        grouper=_alone, trainer=_acol, extractor=dict(name="cam"),
        fusers=[dict(name="max", axis="branch", normalise="max")],
    ),
    "CBAM": dict(grouper=_alone, trainer=_cbam),
    "ours without fusion": dict(grouper=_clusters, trainer=_pair, fusers=[_f]),
    "ours": dict(grouper=_clusters, trainer=_pair, extractor=_stages, fusers=[_a, _f]),
}  # fmt: skip
metrics = [dict(name="miou"), dict(name="coverage")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "CAM": {"miou": 24.54, "miou@train": 26.86},
    "Grad-CAM": {"miou": 27.94, "miou@train": 27.94},
    "ACoL": {"miou": 19.42, "miou@train": 19.41},
    "CBAM": {"miou": 17.63, "miou@train": 21.08},
    "ours without fusion": {"miou": 27.25, "miou@train": 29.39},
    "ours": {"miou": 33.43, "miou@train": 34.43},
}
