"""Yang et al. 2020, Combinational class activation maps, Table 7.

Non-local blocks at low and high places, with CAM and with CCAM.
"""

name = "004_table7"
cost = "hours on a GPU, not measured"
dataset = dict(name="cub", root="data/CUB_200_2011")
images = dict(size=224, fit="squash", train_size=256)

_recipe = dict(loss="softmax", epochs=30, batch_size=32, lr=1e-4, optimizer="adam", flip=True)
_none = dict(name="single", backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1"), **_recipe)
_low = dict(
    name="single", backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1", non_local=["pool2", "pool3"]), **_recipe
)
_high = dict(
    name="single", backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1", non_local=["pool4", "conv5_3"]), **_recipe
)
_low_and_high = dict(
    name="single",
    backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1", non_local=["pool2", "pool3", "pool4", "conv5_3"]),
    **_recipe,
)
_ccam = dict(name="ccam", combine="polynomial", eta=2.0)

arms = {
    "blocks none, CAM": dict(trainer=_none, extractor=dict(name="cam")),
    "blocks low, CAM": dict(trainer=_low, extractor=dict(name="cam")),
    "blocks high, CAM": dict(trainer=_high, extractor=dict(name="cam")),
    "blocks low and high, CAM": dict(trainer=_low_and_high, extractor=dict(name="cam")),
    "blocks none, CCAM": dict(trainer=_none, extractor=_ccam),
    "blocks low, CCAM": dict(trainer=_low, extractor=_ccam),
    "blocks high, CCAM": dict(trainer=_high, extractor=_ccam),
    "blocks low and high, CCAM": dict(trainer=_low_and_high, extractor=_ccam),
}
metrics = [dict(name="localization"), dict(name="maxboxacc")]

paper = {  # the paper's errors, percent
    "blocks none, CAM": {"top1_loc_error": 57.84},
    "blocks low, CAM": {"top1_loc_error": 55.13},
    "blocks high, CAM": {"top1_loc_error": 56.94},
    "blocks low and high, CAM": {"top1_loc_error": 50.55},
    "blocks none, CCAM": {"top1_loc_error": 49.93},
    "blocks low, CCAM": {"top1_loc_error": 48.41},
    "blocks high, CCAM": {"top1_loc_error": 49.19},
    "blocks low and high, CCAM": {"top1_loc_error": 47.6},
}
