"""Yang et al. 2020, Combinational class activation maps, Table 6.

Combination functions on one NL-CCAM network.
"""

_base_ = "table1_3_5.py"

name = "004_table6"
cost = "days on a GPU, not measured"

trainer = _base_.arms["NL-CCAM"]["trainer"]
arms = {
    "_delete_": True,
    "top-1 & bottom-0": dict(extractor=dict(name="ccam", combine="top_bottom", top=1, bottom=0)),
    "top-0 & bottom-1": dict(extractor=dict(name="ccam", combine="top_bottom", top=0, bottom=1)),
    "top-1 & bottom-1": dict(extractor=dict(name="ccam", combine="top_bottom", top=1, bottom=1)),
    "top-1 & bottom-10": dict(extractor=dict(name="ccam", combine="top_bottom", top=1, bottom=10)),
    "top-1 & bottom-20": dict(extractor=dict(name="ccam", combine="top_bottom", top=1, bottom=20)),
    "Constant (eta = 0)": dict(extractor=dict(name="ccam", eta=0.0)),
    "Linear (eta = 1)": dict(extractor=dict(name="ccam", eta=1.0)),
    "Quadratic (eta = 2)": dict(extractor=dict(name="ccam", eta=2.0)),
    "Cubic (eta = 3)": dict(extractor=dict(name="ccam", eta=3.0)),
}

paper = {  # the paper's errors, percent
    "_delete_": True,
    "top-1 & bottom-0": {"top1_loc_error": 54.17},
    "top-0 & bottom-1": {"top1_loc_error": 52.3},
    "top-1 & bottom-1": {"top1_loc_error": 50.77},
    "top-1 & bottom-10": {"top1_loc_error": 49.83},
    "top-1 & bottom-20": {"top1_loc_error": 49.9},
    "Constant (eta = 0)": {"top1_loc_error": 52.91},
    "Linear (eta = 1)": {"top1_loc_error": 52.71},
    "Quadratic (eta = 2)": {"top1_loc_error": 52.57},
    "Cubic (eta = 3)": {"top1_loc_error": 52.21},
}
