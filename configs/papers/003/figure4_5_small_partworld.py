"""Dong et al. 2023, Rethinking class activation maps for segmentation, Figures 4 and 5.

Truncation from 0 to 90 percent, for three methods over all stages.
Here on PartWorld.
"""

name = "003_figure4_5_small_partworld"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip

trainer = dict(name="single", **_recipe)
arms = {
    "Grad-CAM, delta = 0": dict(extractor=dict(name="ltgradcam", truncate=0)),
    "Layer-CAM, delta = 0": dict(extractor=dict(name="ltlayercam", truncate=0)),
    "FullGrad, delta = 0": dict(extractor=dict(name="ltfullgrad", truncate=0)),
    "Grad-CAM, delta = 10": dict(extractor=dict(name="ltgradcam", truncate=10)),
    "Layer-CAM, delta = 10": dict(extractor=dict(name="ltlayercam", truncate=10)),
    "FullGrad, delta = 10": dict(extractor=dict(name="ltfullgrad", truncate=10)),
    "Grad-CAM, delta = 20": dict(extractor=dict(name="ltgradcam", truncate=20)),
    "Layer-CAM, delta = 20": dict(extractor=dict(name="ltlayercam", truncate=20)),
    "FullGrad, delta = 20": dict(extractor=dict(name="ltfullgrad", truncate=20)),
    "Grad-CAM, delta = 30": dict(extractor=dict(name="ltgradcam", truncate=30)),
    "Layer-CAM, delta = 30": dict(extractor=dict(name="ltlayercam", truncate=30)),
    "FullGrad, delta = 30": dict(extractor=dict(name="ltfullgrad", truncate=30)),
    "Grad-CAM, delta = 40": dict(extractor=dict(name="ltgradcam", truncate=40)),
    "Layer-CAM, delta = 40": dict(extractor=dict(name="ltlayercam", truncate=40)),
    "FullGrad, delta = 40": dict(extractor=dict(name="ltfullgrad", truncate=40)),
    "Grad-CAM, delta = 50": dict(extractor=dict(name="ltgradcam", truncate=50)),
    "Layer-CAM, delta = 50": dict(extractor=dict(name="ltlayercam", truncate=50)),
    "FullGrad, delta = 50": dict(extractor=dict(name="ltfullgrad", truncate=50)),
    "Grad-CAM, delta = 60": dict(extractor=dict(name="ltgradcam", truncate=60)),
    "Layer-CAM, delta = 60": dict(extractor=dict(name="ltlayercam", truncate=60)),
    "FullGrad, delta = 60": dict(extractor=dict(name="ltfullgrad", truncate=60)),
    "Grad-CAM, delta = 70": dict(extractor=dict(name="ltgradcam", truncate=70)),
    "Layer-CAM, delta = 70": dict(extractor=dict(name="ltlayercam", truncate=70)),
    "FullGrad, delta = 70": dict(extractor=dict(name="ltfullgrad", truncate=70)),
    "Grad-CAM, delta = 80": dict(extractor=dict(name="ltgradcam", truncate=80)),
    "Layer-CAM, delta = 80": dict(extractor=dict(name="ltlayercam", truncate=80)),
    "FullGrad, delta = 80": dict(extractor=dict(name="ltfullgrad", truncate=80)),
    "Grad-CAM, delta = 90": dict(extractor=dict(name="ltgradcam", truncate=90)),
    "Layer-CAM, delta = 90": dict(extractor=dict(name="ltlayercam", truncate=90)),
    "FullGrad, delta = 90": dict(extractor=dict(name="ltfullgrad", truncate=90)),
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]
