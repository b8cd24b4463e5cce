"""Yang et al. 2020, Combinational class activation maps, Tables 2, 4 and 6.

Combination functions against CAM.
Here on eight birds with MobileNetV2.
"""

name = "004_table6_small"
cost = "4 minutes on 2 cores"
dataset = dict(name="cub", root="$CAMFORGE_DATA/cub_birds/CUB_200_2011")
images = dict(size=224, fit="squash", train_size=256)

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(loss="softmax", epochs=10, batch_size=20, lr=1e-4, schedule="constant")
trainer = dict(name="single", backbone=_mobilenet, **_recipe)
arms = {
    "CAM": dict(extractor=dict(name="cam")),
    "Grad-CAM": dict(extractor=dict(name="gradcam")),
    "top-1 & bottom-0": dict(extractor=dict(name="ccam", combine="top_bottom", top=1, bottom=0)),
    "top-0 & bottom-1": dict(extractor=dict(name="ccam", combine="top_bottom", top=0, bottom=1)),
    "top-1 & bottom-1": dict(extractor=dict(name="ccam", combine="top_bottom", top=1, bottom=1)),
    "top-1 & bottom-4": dict(extractor=dict(name="ccam", combine="top_bottom", top=1, bottom=4)),
    "Constant (eta = 0)": dict(extractor=dict(name="ccam", eta=0.0)),
    "Linear (eta = 1)": dict(extractor=dict(name="ccam", eta=1.0)),
    "Quadratic (eta = 2)": dict(extractor=dict(name="ccam", eta=2.0)),
    "Cubic (eta = 3)": dict(extractor=dict(name="ccam", eta=3.0)),
}
metrics = [dict(name="localization"), dict(name="maxboxacc")]

paper = {  # the paper's errors, percent
    "top-1 & bottom-0": {"top1_loc_error": 50.55},
    "top-0 & bottom-1": {"top1_loc_error": 52.71},
    "top-1 & bottom-1": {"top1_loc_error": 49.19},
    "top-1 & bottom-4": {"top1_loc_error": 48.07},
    "Constant (eta = 0)": {"top1_loc_error": 47.77},
    "Linear (eta = 1)": {"top1_loc_error": 47.64},
    "Quadratic (eta = 2)": {"top1_loc_error": 47.6},
    "Cubic (eta = 3)": {"top1_loc_error": 47.64},
}
