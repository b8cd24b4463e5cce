"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 2.

Truncation alone: Grad-CAM of the last stage, FullGrad.
"""

name = "003_table2"
cost = "hours on a GPU, not measured"
dataset = dict(name="voc", root="$CAMFORGE_DATA/VOCdevkit")
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(name="torchvision", arch="vgg16", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
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

paper = {  # what the paper calls Micro-F1 is the mean over classes: P 40.93 and R 42.02 give 41.47, and it prints 39.5
    "Grad-CAM++": {"miou": 20.32, "precision": 47.75, "recall": 27.43, "f1": 33.06},
    "Grad-CAM": {"miou": 25.31, "precision": 40.93, "recall": 42.02, "f1": 39.5},
    "LTGrad-CAM (l = 1, delta = 0)": {"miou": 26.23, "precision": 42.46, "recall": 44.1, "f1": 40.59},
    "FullGrad": {"miou": 28.2, "precision": 48.72, "recall": 42.52, "f1": 42.84},
    "LTFullGrad (delta = 0)": {"miou": 28.11, "precision": 48.01, "recall": 42.9, "f1": 42.77},
}
