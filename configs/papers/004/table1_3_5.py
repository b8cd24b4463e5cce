"""Yang et al. 2020, Combinational class activation maps, Tables 1, 3 and 5.

Classification and localization error on ILSVRC.
"""

name = "004_table1_3_5"
cost = "days on a GPU, not measured"
dataset = dict(name="wsol", root="data/ILSVRC", metadata="data/metadata/ILSVRC")
images = dict(size=224, fit="squash", train_size=256)

_recipe = dict(loss="softmax", epochs=30, batch_size=32, lr=1e-4, optimizer="adam", flip=True)
_gap = dict(name="single", backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1"), **_recipe)
_nl = dict(
    name="single",
    backbone=dict(name="vgg_gap", weights="IMAGENET1K_V1", non_local=["pool2", "pool3", "pool4", "conv5_3"]),
    **_recipe,
)
_ccam = dict(name="ccam", combine="top_bottom", top=1, bottom=10)

arms = {
    "VGGnet-GAP": dict(trainer=_gap, extractor=dict(name="cam")),
    "VGGnet-CCAM": dict(trainer=_gap, extractor=_ccam),
    "NL-CCAM": dict(trainer=_nl, extractor=_ccam),
}
metrics = [dict(name="localization"), dict(name="maxboxacc")]

paper = {  # the paper's errors, percent
    "VGGnet-GAP": {"top1_loc_error": 57.2, "top5_loc_error": 45.14, "top1_cls_error": 33.4},
    "VGGnet-CCAM": {
        "top1_loc_error": 51.78,
        "top5_loc_error": 40.64,
        "gtknown_loc_error": 36.42,
        "top1_cls_error": 33.4,
    },
    "NL-CCAM": {"top1_loc_error": 49.83, "top5_loc_error": 39.31, "gtknown_loc_error": 34.77, "top1_cls_error": 27.7},
}
