"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 2.

Truncation alone: Grad-CAM of the last stage, FullGrad.
Here on six animals of PASCAL VOC.
"""

name = "003_table2_small_animals"
dataset = dict(name="voc", root="../shared/data/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=224, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="../shared/data/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)

trainer = dict(name="single", **_recipe)
arms = {
    "Grad-CAM++": dict(extractor=dict(name="gradcampp")),
    "Grad-CAM": dict(extractor=dict(name="gradcam")),
    "LTGrad-CAM (l = 1, delta = 0)": dict(extractor=dict(name="gradcam", truncate=0)),
    "FullGrad": dict(extractor=dict(name="fullgrad")),
    "LTFullGrad (delta = 0)": dict(extractor=dict(name="ltfullgrad", truncate=0)),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]
