"""Yang et al. 2020, Combinational class activation maps, Table 7.

Non-local blocks at low and high places, with CAM and with CCAM.
"""

_base_ = "table2_4.py"

name = "004_table7"
cost = "days on a GPU, not measured"

_low, _high = ["pool2", "pool3"], ["pool4", "conv5_3"]
_trainer, _ccam = _base_.arms["VGGnet-GAP"]["trainer"], _base_.arms["NL-CCAM"]["extractor"]


def _with(places):
    return dict(_trainer, backbone=dict(_trainer["backbone"], non_local=places))


arms = {
    "_delete_": True,
    "blocks none, CAM": dict(trainer=_trainer),
    "blocks low, CAM": dict(trainer=_with(_low)),
    "blocks high, CAM": dict(trainer=_with(_high)),
    "blocks low and high, CAM": dict(trainer=_with(_low + _high)),
    "blocks none, CCAM": dict(trainer=_trainer, extractor=_ccam),
    "blocks low, CCAM": dict(trainer=_with(_low), extractor=_ccam),
    "blocks high, CCAM": dict(trainer=_with(_high), extractor=_ccam),
    "blocks low and high, CCAM": dict(trainer=_with(_low + _high), extractor=_ccam),
}

paper = {  # the paper's errors, percent
    "_delete_": True,
    "blocks none, CAM": {"top1_loc_error": 57.84},
    "blocks low, CAM": {"top1_loc_error": 55.13},
    "blocks high, CAM": {"top1_loc_error": 56.94},
    "blocks low and high, CAM": {"top1_loc_error": 50.55},
    "blocks none, CCAM": {"top1_loc_error": 49.93},
    "blocks low, CCAM": {"top1_loc_error": 48.41},
    "blocks high, CCAM": {"top1_loc_error": 49.19},
    "blocks low and high, CCAM": {"top1_loc_error": 47.6},
}
