"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 1.

Grad-CAM of each stage of the network, and of several together.
Here on six animals of PASCAL VOC.
"""

name = "003_table1_small_animals"
dataset = dict(name="voc", root="../shared/data/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=224, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="../shared/data/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)

trainer = dict(name="single", **_recipe)
arms = {
    "S1": dict(extractor=dict(name="gradcam", layers=["features.1"])),
    "S2": dict(extractor=dict(name="gradcam", layers=["features.3"])),
    "S3": dict(extractor=dict(name="gradcam", layers=["features.6"])),
    "S4": dict(extractor=dict(name="gradcam", layers=["features.13"])),
    "S5": dict(extractor=dict(name="gradcam", layers=["features.18"])),
    "S3 + S4 + S5": dict(
        extractor=dict(name="gradcam", layers=["features.6", "features.13", "features.18"], merge="sum")
    ),
    "S1 + S2 + S3 + S4 + S5": dict(extractor=dict(name="gradcam", layers="stages", merge="sum")),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]

paper = {  # the paper's numbers
    "S1": {"miou": 10.13},
    "S2": {"miou": 10.87},
    "S3": {"miou": 11.68},
    "S4": {"miou": 14.03},
    "S5": {"miou": 25.31},
    "S3 + S4 + S5": {"miou": 22.84},
    "S1 + S2 + S3 + S4 + S5": {"miou": 21.57},
}
