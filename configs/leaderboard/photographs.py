"""Photographs of yours in VOC's layout, and torchvision's MobileNetV2: ``camforge bench leaderboard --data FOLDER``.

The weights are torchvision's own, or a file that the variable CAMFORGE_WEIGHTS names.
"""

import os

name = "photographs"
about = "MobileNetV2 on photographs in VOC's layout, explained by every installed extractor"
dataset = dict(name="voc", root="$CAMFORGE_DATA/VOCdevkit/VOC2012")
images = dict(size=224, fit="crop")
trainer = dict(
    name="single",
    backbone=dict(name="torchvision", arch="mobilenet_v2", weights=os.environ.get("CAMFORGE_WEIGHTS", "DEFAULT")),
    epochs=4,
    lr=1e-4,
    batch_size=20,
)
extractor = dict(name="gradcam")
fusers = [dict(name="sum", axis="layer")]
arms = {
    "gradcam, all stages": dict(extractor=dict(name="gradcam", layers="stages")),
    "layercam, all stages": dict(extractor=dict(name="layercam", layers="stages")),
}
metrics = ["miou"]
report = dict(images=12)
