"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 4.

Layers and truncation together, on surface defects.
Here on forty-four surfaces of KolektorSDD.
"""

name = "003_table4_small"
dataset = dict(name="ksdd2", root="../shared/data/ksdd")
images = dict(size=224, fit="squash")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="../shared/data/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=20, lr=1e-4, batch_size=11, flip=True)

trainer = dict(name="single", **_recipe)
arms = {
    "Grad-CAM++": dict(extractor=dict(name="gradcampp")),
    "Grad-CAM": dict(extractor=dict(name="gradcam")),
    "FullGrad": dict(extractor=dict(name="fullgrad")),
    "Layer-CAM (l = 1, delta = 0)": dict(extractor=dict(name="layercam")),
    "Layer-CAM (l = 5, delta = 0)": dict(extractor=dict(name="layercam", layers="stages", merge="sum")),
    "LTGrad-CAM (l = 5, delta = 0)": dict(extractor=dict(name="ltgradcam", truncate=0)),
    "LTGrad-CAM (l = 5, delta = 20)": dict(extractor=dict(name="ltgradcam", truncate=20)),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]

paper = {  # the paper's numbers
    "Grad-CAM++": {"miou": 25.87, "precision": 34.75, "recall": 50.31, "micro_f1": 41.11},
    "Grad-CAM": {"miou": 25.73, "precision": 27.79, "recall": 77.63, "micro_f1": 40.93},
    "FullGrad": {"miou": 22.14, "precision": 23.41, "recall": 80.25, "micro_f1": 36.25},
    "Layer-CAM (l = 1, delta = 0)": {"miou": 20.5, "precision": 21.67, "recall": 79.14, "micro_f1": 34.03},
    "Layer-CAM (l = 5, delta = 0)": {"miou": 28.92, "precision": 31.8, "recall": 76.12, "micro_f1": 44.86},
    "LTGrad-CAM (l = 5, delta = 0)": {"miou": 33.01, "precision": 37.07, "recall": 75.06, "micro_f1": 49.63},
    "LTGrad-CAM (l = 5, delta = 20)": {"miou": 35.37, "precision": 40.88, "recall": 72.42, "micro_f1": 52.26},
}
