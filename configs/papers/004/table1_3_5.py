"""Yang et al. 2020, Combinational class activation maps, Tables 1, 3 and 5.

Classification and localization error on ILSVRC, beside other methods.
"""

name = "004_table1_3_5"
cost = "weeks on a GPU, not measured"
dataset = dict(  # its lists "test" are the 50,000 images of ILSVRC's validation set
    name="wsol", root="$CAMFORGE_DATA/ILSVRC", metadata="$CAMFORGE_DATA/metadata/ILSVRC", val="test"
)
images = dict(size=224, fit="squash", train_size=256)

_vgg = dict(name="vgg_gap", width=1024, weights="IMAGENET1K_V1")  # VGGnet-GAP of Zhou et al. 2016
_nl = dict(_vgg, non_local=["pool2", "pool3", "pool4", "conv5_3"])
_alexnet = dict(name="alexnet_gap", weights="IMAGENET1K_V1")
_inception = dict(name="torchvision", arch="inception_v3", weights="IMAGENET1K_V1")
_googlenet = dict(name="torchvision", arch="googlenet", weights="IMAGENET1K_V1")
_recipe = dict(loss="softmax", epochs=30, batch_size=32, lr=1e-4, optimizer="adam", schedule="constant")
_ccam = dict(name="ccam", combine="top_bottom", top=1, bottom=10)
_both = [dict(name="max", axis="branch", normalise="max")]  # ACoL's two classifiers


def _trained(backbone, name="single", **options):
    return dict(name=name, backbone=backbone, **options, **_recipe)


extractor = dict(name="cam")
arms = {
    "AlexNet-GAP": dict(trainer=_trained(_alexnet)),
    "AlexNet-HaS": dict(trainer=_trained(_alexnet, "has")),
    "GoogLeNet-GAP": dict(trainer=_trained(_googlenet)),
    "GoogLeNet-HaS-32": dict(trainer=_trained(_googlenet, "has", patches=[32])),
    "GoogLeNet-ACoL": dict(trainer=_trained(_googlenet, "acol"), fusers=_both),
    "VGGnet": dict(
        trainer=_trained(dict(name="torchvision", arch="vgg16", weights="IMAGENET1K_V1")),
        extractor=dict(name="gradcam"),
        note="the plain network; the paper gives its classification error alone",
    ),
    "VGGnet-GAP": dict(trainer=_trained(_vgg)),
    "VGGnet-ACoL": dict(trainer=_trained(dict(_vgg, width=0), "acol"), fusers=_both),
    "VGGnet-HaS": dict(trainer=_trained(_vgg, "has"), note="not in the paper"),
    "VGGnet-ADL": dict(trainer=_trained(_vgg, "adl"), note="not in the paper"),
    "VGGnet-CutMix": dict(trainer=_trained(_vgg, "cutmix"), note="not in the paper"),
    "SPG-plain": dict(trainer=_trained(_inception)),
    "SPG": dict(trainer=_trained(_inception, "spg", layers=["Mixed_5d", "Mixed_6e"])),
    "VGGnet-CCAM": dict(trainer=_trained(_vgg), extractor=_ccam),
    "NL-CCAM": dict(trainer=_trained(_nl), extractor=_ccam),
}
metrics = [dict(name="localization"), dict(name="maxboxacc")]

paper = {  # the paper's errors, percent; ACoL's GT-known error is printed without its network
    "AlexNet-GAP": {"top1_loc_error": 67.19, "top5_loc_error": 52.16, "gtknown_loc_error": 45.01},
    "AlexNet-HaS": {"gtknown_loc_error": 41.25},
    "SPG-plain": {"top1_loc_error": 53.71, "top5_loc_error": 41.81, "gtknown_loc_error": 37.32},
    "SPG": {"top1_loc_error": 51.4, "top5_loc_error": 40.0, "gtknown_loc_error": 35.31},
    "GoogLeNet-GAP": {"top1_loc_error": 56.4, "top5_loc_error": 43.0, "gtknown_loc_error": 41.34},
    "GoogLeNet-HaS-32": {"top1_loc_error": 54.79, "gtknown_loc_error": 39.71},
    "GoogLeNet-ACoL": {"top1_loc_error": 53.28, "top5_loc_error": 42.58},
    "VGGnet": {"top1_cls_error": 31.2},
    "VGGnet-GAP": {"top1_loc_error": 57.2, "top5_loc_error": 45.14, "top1_cls_error": 33.4},
    "VGGnet-ACoL": {
        "top1_loc_error": 54.17,
        "top5_loc_error": 40.57,
        "gtknown_loc_error": 37.04,
        "top1_cls_error": 32.5,
    },
    "VGGnet-CCAM": {
        "top1_loc_error": 51.78,
        "top5_loc_error": 40.64,
        "gtknown_loc_error": 36.42,
        "top1_cls_error": 33.4,
    },
    "NL-CCAM": {"top1_loc_error": 49.83, "top5_loc_error": 39.31, "gtknown_loc_error": 34.77, "top1_cls_error": 27.7},
}
