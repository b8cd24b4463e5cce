"""Yang et al. 2020, Combinational class activation maps, Tables 2 and 4.

Classification and localization error on CUB-200-2011, beside other methods.
"""

_base_ = "table1_3_5.py"

name = "004_table2_4"
cost = "days on a GPU, not measured"
dataset = dict(_delete_=True, name="cub", root="$CAMFORGE_DATA/CUB_200_2011")

_ccam = dict(_delete_=True, name="ccam", combine="polynomial", eta=2.0)
arms = {"VGGnet-CCAM": dict(extractor=_ccam), "NL-CCAM": dict(extractor=_ccam)}

paper = {  # the paper's errors, percent; GoogLeNet's classification error is that on full images
    "_delete_": True,
    "GoogLeNet-GAP": {"top1_loc_error": 59.0, "top1_cls_error": 37.0},
    "SPG-plain": {"top1_loc_error": 56.33, "top5_loc_error": 46.47},
    "SPG": {"top1_loc_error": 53.36, "top5_loc_error": 42.28},
    "VGGnet-ACoL": {"top1_loc_error": 54.08, "top5_loc_error": 43.49, "top1_cls_error": 28.1},
    "VGGnet-CCAM": {"top1_loc_error": 49.93, "top5_loc_error": 36.25, "top1_cls_error": 26.8},
    "NL-CCAM": {"top1_loc_error": 47.6, "top5_loc_error": 34.97, "top1_cls_error": 26.6},
}
