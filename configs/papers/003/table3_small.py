"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 3.

Layers and truncation together, against the gradient methods.
Here on PartWorld.
"""

name = "003_table3_small"
cost = "1 minute on 2 cores"
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

paper = {  # the paper's numbers
    "Grad-CAM++": {"miou": 20.32, "precision": 47.75, "recall": 27.43, "f1": 33.06},
    "Grad-CAM": {"miou": 25.31, "precision": 40.93, "recall": 42.02, "f1": 39.5},
    "FullGrad": {"miou": 28.2, "precision": 48.72, "recall": 42.52, "f1": 42.84},
    "Layer-CAM (l = 1, delta = 0)": {"miou": 26.14, "precision": 43.41, "recall": 43.0, "f1": 40.5},
    "Layer-CAM (l = 4, delta = 0)": {"miou": 30.83, "precision": 52.07, "recall": 45.3, "f1": 45.95},
    "LTGrad-CAM (l = 4, delta = 0)": {"miou": 26.87, "precision": 40.86, "recall": 48.56, "f1": 41.24},
    "LTGrad-CAM (l = 4, delta = 20)": {"miou": 28.34, "precision": 43.39, "recall": 48.78, "f1": 43.06},
}
