"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 2.

Truncation alone: Grad-CAM of the last stage, FullGrad.
"""

name = "003_table2"
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
    "LTGrad-CAM (l = 1, delta = 0)": dict(extractor=dict(name="gradcam", truncate=0)),
    "FullGrad": dict(extractor=dict(name="fullgrad")),
    "LTFullGrad (delta = 0)": dict(extractor=dict(name="ltfullgrad", truncate=0)),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]
