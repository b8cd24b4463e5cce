"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 3.

Layers and truncation together, against the gradient methods.
"""

name = "003_table3"
dataset = dict(name="voc", root="data/VOCdevkit")
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(name="torchvision", arch="vgg16", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
)  # fmt: skip

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
