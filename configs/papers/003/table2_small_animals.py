"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 2.

Truncation alone: Grad-CAM of the last stage, FullGrad.
Here on six animals of PASCAL VOC.
"""

_base_ = "table2.py"

name = "003_table2_small_animals"
cost = "4 minutes on 2 cores"
dataset = dict(
    _delete_=True, name="voc", root="$CAMFORGE_DATA/voc_animals",
    classes=["cat", "cow", "dog", "horse", "sheep", "person"],
)  # fmt: skip
_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
trainer = dict(_delete_=True, name="single", backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
