"""Yang et al. 2020, Combinational class activation maps, Tables 2, 4 and 5.

Other methods. Here on eight birds with MobileNetV2.
"""

name = "004_table2_4_small"
cost = "25 minutes on 2 cores"
dataset = dict(name="cub", root="$CAMFORGE_DATA/cub_birds/CUB_200_2011")
images = dict(size=224, fit="squash", train_size=256)

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, loss="softmax", epochs=10, batch_size=20, lr=1e-4, schedule="constant")

trainer = dict(name="single", **_recipe)
extractor = dict(name="cam")
arms = {
    "GAP": dict(),
    "ACoL": dict(
        trainer=dict(name="acol", width=256, **_recipe), fusers=[dict(name="max", axis="branch", normalise="max")]
    ),
    "SPG": dict(trainer=dict(name="spg", width=64, **_recipe)),
    "HaS": dict(trainer=dict(name="has", **_recipe)),
    "ADL": dict(trainer=dict(name="adl", **_recipe)),
    "CutMix": dict(trainer=dict(name="cutmix", **_recipe)),
    "CCAM": dict(extractor=dict(name="ccam", combine="polynomial", eta=2.0)),
}
metrics = [dict(name="localization"), dict(name="maxboxacc")]

paper = {  # the paper's errors on CUB, percent
    "SPG": {"top1_loc_error": 53.36, "top5_loc_error": 42.28},
    "GAP": {"top1_loc_error": 59.0, "top1_cls_error": 37.0},
    "ACoL": {"top1_loc_error": 54.08, "top5_loc_error": 43.49, "top1_cls_error": 28.1},
    "CCAM": {"top1_loc_error": 49.93, "top5_loc_error": 36.25, "top1_cls_error": 26.8},
}
