"""Yang et al. 2020, Combinational class activation maps, Table 7.

Non-local blocks at low and high places, with CAM and with CCAM.
Here in the small network on PartWorld, whose images may show several classes.
"""

name = "004_table7_small"
cost = "4 minutes on 2 cores"
dataset = dict(name="partworld")
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3, schedule="onecycle", epochs=4, batch_size=32
)
_none = dict(name="single", backbone=dict(name="small"), **_recipe)
_low = dict(name="single", backbone=dict(name="small", non_local=[1, 2]), **_recipe)
_high = dict(name="single", backbone=dict(name="small", non_local=[3, 4]), **_recipe)
_low_and_high = dict(name="single", backbone=dict(name="small", non_local=[1, 2, 3, 4]), **_recipe)
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
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="localization"), dict(name="coverage")]

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
