"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 1.

Grad-CAM of each stage of the network, and of several together.
Here on six animals of PASCAL VOC.
"""

_base_ = "table1.py"

name = "003_table1_small_animals"
cost = "4 minutes on 2 cores"
dataset = dict(
    _delete_=True, name="voc", root="$CAMFORGE_DATA/voc_animals",
    classes=["cat", "cow", "dog", "horse", "sheep", "person"],
)  # fmt: skip
_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
trainer = dict(_delete_=True, name="single", backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
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
