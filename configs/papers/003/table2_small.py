"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 2.

Truncation alone: Grad-CAM of the last stage, FullGrad.
Here on PartWorld.
"""

name = "003_table2_small"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip

trainer = dict(name="single", **_recipe)
arms = {
    "Grad-CAM++": dict(extractor=dict(name="gradcampp")),
    "Grad-CAM": dict(extractor=dict(name="gradcam")),
    "LTGrad-CAM (l = 1, delta = 0)": dict(extractor=dict(name="gradcam", truncate=0)),
    "FullGrad": dict(extractor=dict(name="fullgrad")),
    "LTFullGrad (delta = 0)": dict(extractor=dict(name="ltfullgrad", truncate=0)),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]
