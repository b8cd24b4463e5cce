"""Yang et al. 2020, Combinational class activation maps, Tables 2 and 4.

The same as table2_4.py with the settings of the authors' released code, which differ from the paper's.
"""

name = "004_table2_4_code"
cost = "hours on a GPU, not measured"
dataset = dict(name="cub", root="data/CUB_200_2011")
images = dict(size=224, fit="squash", train_size=256)

_recipe = dict(
    loss="softmax", epochs=100, batch_size=16, lr=5e-5, head_lr=5e-4, optimizer="adam", schedule="poly", flip=True
)
_gap = dict(name="single", backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1", slope=0.2), **_recipe)
_nl = dict(
    name="single",
    backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1", non_local=["pool2", "pool3", "pool4", "conv5_3"], slope=0.2),
    **_recipe,
)
_ccam = dict(name="ccam", combine="polynomial", eta=2.0)

arms = {
    "VGGnet-GAP": dict(trainer=_gap, extractor=dict(name="cam")),
    "VGGnet-CCAM": dict(trainer=_gap, extractor=_ccam),
    "NL-CCAM": dict(trainer=_nl, extractor=_ccam),
}
metrics = [dict(name="localization"), dict(name="maxboxacc")]

paper = {  # the paper's errors, percent
    "VGGnet-CCAM": {"top1_loc_error": 49.93, "top5_loc_error": 36.25, "top1_cls_error": 26.8},
    "NL-CCAM": {"top1_loc_error": 47.6, "top5_loc_error": 34.97, "top1_cls_error": 26.6},
}
