"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 1.

Grad-CAM of each stage of the network, and of several together.
"""

name = "003_table1"
cost = "hours on a GPU, not measured"
dataset = dict(name="voc", root="$CAMFORGE_DATA/VOCdevkit")
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(name="torchvision", arch="vgg16", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
)  # fmt: skip

trainer = dict(name="single", **_recipe)
arms = {
    "S1": dict(extractor=dict(name="gradcam", layers=["features.3"])),
    "S2": dict(extractor=dict(name="gradcam", layers=["features.8"])),
    "S3": dict(extractor=dict(name="gradcam", layers=["features.15"])),
    "S4": dict(extractor=dict(name="gradcam", layers=["features.22"])),
    "S5": dict(extractor=dict(name="gradcam", layers=["features.29"])),
    "S3 + S4 + S5": dict(
        extractor=dict(name="gradcam", layers=["features.15", "features.22", "features.29"], merge="sum")
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
