"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 3.

Layers and truncation together, against the gradient methods.
Here on PartWorld.
"""

name = "003_table3_small"
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
    "FullGrad": dict(extractor=dict(name="fullgrad")),
    "Layer-CAM (l = 1, delta = 0)": dict(extractor=dict(name="layercam")),
    "Layer-CAM (l = 4, delta = 0)": dict(extractor=dict(name="layercam", layers="stages", merge="sum")),
    "LTGrad-CAM (l = 4, delta = 0)": dict(extractor=dict(name="ltgradcam", truncate=0)),
    "LTGrad-CAM (l = 4, delta = 20)": dict(extractor=dict(name="ltgradcam", truncate=20)),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]
