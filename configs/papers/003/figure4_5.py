"""Dong et al. 2023, Rethinking class activation maps for segmentation, Figures 4 and 5.

Truncation from 0 to 90 percent, for three methods over all stages.
"""

name = "003_figure4_5"
cost = "hours on a GPU, not measured"
dataset = dict(name="ksdd2", root="$CAMFORGE_DATA/KolektorSDD2")
images = dict(size=[630, 230], fit="squash")

_recipe = dict(
    backbone=dict(name="torchvision", arch="vgg16", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
)  # fmt: skip

trainer = dict(name="single", **_recipe)
arms = {
    f"{method}, delta = {delta}": dict(extractor=dict(name=extractor, truncate=delta))
    for delta in range(0, 100, 10)
    for method, extractor in {"Grad-CAM": "ltgradcam", "Layer-CAM": "ltlayercam", "FullGrad": "ltfullgrad"}.items()
}
metrics = [dict(name="miou", threshold="otsu"), dict(name="segmentation", threshold="otsu")]
measure_on = ["val", "train"]
