"""Yang et al. 2020, Combinational class activation maps, Figures 1, 3 and 4.

The same maps on CUB-200-2011.
"""

_base_ = "figure1_3_4.py"

name = "004_figure1_3_4_cub"
cost = "a day on a GPU, not measured"
dataset = dict(_delete_=True, name="cub", root="$CAMFORGE_DATA/CUB_200_2011")
arms = {
    "middle": dict(extractor=dict(rank=100)),
    "NL-CCAM": dict(extractor=dict(_delete_=True, name="ccam", combine="polynomial", eta=2.0)),
}
