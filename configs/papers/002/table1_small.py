"""Meng et al., representative class selection, Table 1.

Its rows Grad-CAM and All, from every pair of PartWorld's classes, 66 networks.
"""

name = "002_table1_small"
cost = "3 minutes on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
_single = dict(name="single", loss="softmax", **_recipe)
_pair = dict(name="binary_pair", **dict(_recipe, schedule="constant", lr=3e-3, head_lr=1e-2, epochs=10))
_everything = dict(name="false_positive_clusters", select="random", clusters=11)  # all others of each class
_alone = dict(name="none", exclusive=True)  # images with a single label

extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": dict(grouper=_alone, trainer=_single),
    "All": dict(grouper=_everything, trainer=_pair, fusers=[dict(name="mean", axis="view")]),
}
metrics = [dict(name="miou")]

paper = {  # the paper's numbers on VOC val
    "All": {"miou": 35.22},
    "Grad-CAM": {"miou": 27.24},
}
