"""Yang et al. 2020, Combinational class activation maps, Tables 2 and 4.

The same as table2_4.py with the settings of the authors' released code, which differ from the paper's: leaky
activations, no convolution behind conv5_3, its own rates, a falling one, and mirrored images.
"""

_base_ = "table2_4.py"

name = "004_table2_4_code"
cost = "days on a GPU, not measured"

_recipe = dict(
    loss="softmax", epochs=100, batch_size=16, lr=5e-5, head_lr=5e-4, optimizer="adam", schedule="poly", flip=True
)
_vgg = dict(name="vgg_gap", weights="IMAGENET1K_V1", slope=0.2)
_nl = dict(_vgg, non_local=["pool2", "pool3", "pool4", "conv5_3"])
_ccam = dict(name="ccam", combine="polynomial", eta=2.0)

arms = {
    "_delete_": True,
    "VGGnet-GAP": dict(trainer=dict(name="single", backbone=_vgg, **_recipe)),
    "VGGnet-CCAM": dict(trainer=dict(name="single", backbone=_vgg, **_recipe), extractor=_ccam),
    "NL-CCAM": dict(trainer=dict(name="single", backbone=_nl, **_recipe), extractor=_ccam),
}

paper = {  # the paper's errors, percent
    "_delete_": True,
    "VGGnet-CCAM": {"top1_loc_error": 49.93, "top5_loc_error": 36.25, "top1_cls_error": 26.8},
    "NL-CCAM": {"top1_loc_error": 47.6, "top5_loc_error": 34.97, "top1_cls_error": 26.6},
}
