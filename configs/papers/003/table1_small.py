"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 1.

Grad-CAM of each stage of the network, and of several together.
Here on PartWorld.
"""

name = "003_table1_small"
cost = "1 minute on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip

trainer = dict(name="single", **_recipe)
arms = {
    "S1": dict(extractor=dict(name="gradcam", layers=["stage1"])),
    "S2": dict(extractor=dict(name="gradcam", layers=["stage2"])),
    "S3": dict(extractor=dict(name="gradcam", layers=["stage3"])),
    "S4": dict(extractor=dict(name="gradcam", layers=["stage4"])),
    "S2 + S3 + S4": dict(extractor=dict(name="gradcam", layers=["stage2", "stage3", "stage4"], merge="sum")),
    "S1 + S2 + S3 + S4": dict(extractor=dict(name="gradcam", layers="stages", merge="sum")),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]
