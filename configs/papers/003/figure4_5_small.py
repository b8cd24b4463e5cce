"""Dong et al. 2023, Rethinking class activation maps for segmentation, Figures 4 and 5.

Truncation from 0 to 90 percent, for three methods over all stages.
Here on forty-four surfaces of KolektorSDD.
"""

_base_ = "figure4_5.py"

name = "003_figure4_5_small"
cost = "2 minutes on 2 cores"
dataset = dict(_delete_=True, name="ksdd2", root="$CAMFORGE_DATA/ksdd")
images = dict(size=[440, 176])  # as they are
_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
trainer = dict(_delete_=True, name="single", backbone=_mobilenet, epochs=20, lr=1e-4, batch_size=11, flip=True)
