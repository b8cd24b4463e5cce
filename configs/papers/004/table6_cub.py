"""Yang et al. 2020, Combinational class activation maps, Table 6.

Combination functions on one NL-CCAM network.
"""

_base_ = "table6.py"

name = "004_table6_cub"
cost = "hours on a GPU, not measured"
dataset = dict(_delete_=True, name="cub", root="$CAMFORGE_DATA/CUB_200_2011")

paper = {  # the paper's errors, percent
    "top-1 & bottom-0": {"top1_loc_error": 50.55},
    "top-0 & bottom-1": {"top1_loc_error": 52.71},
    "top-1 & bottom-1": {"top1_loc_error": 49.19},
    "top-1 & bottom-10": {"top1_loc_error": 48.07},
    "top-1 & bottom-20": {"top1_loc_error": 48.41},
    "Constant (eta = 0)": {"top1_loc_error": 47.77},
    "Linear (eta = 1)": {"top1_loc_error": 47.64},
    "Quadratic (eta = 2)": {"top1_loc_error": 47.6},
    "Cubic (eta = 3)": {"top1_loc_error": 47.64},
}
