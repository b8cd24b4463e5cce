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
