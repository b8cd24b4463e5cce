"""Yang et al. 2020, Combinational class activation maps, Figures 1, 3 and 4.

CAM of the plain network; of NL-CCAM's network the maps of the first and the last classes by score, one of the middle
alone, and their combination.
"""

_base_ = "table1_3_5.py"

name = "004_figure1_3_4"
cost = "days on a GPU, not measured"
report = dict(images=60)

_nl = _base_.arms["NL-CCAM"]["trainer"]
arms = {
    "_delete_": True,
    "CAM": dict(trainer=_base_.arms["VGGnet-GAP"]["trainer"]),
    **{
        name: dict(trainer=_nl, extractor=dict(name="ccam", combine="rank", rank=rank))
        for name, rank in {"1": 1, "2": 2, "3": 3, "middle": 500, "K - 2": -3, "K - 1": -2, "K": -1}.items()
    },
    "NL-CCAM": _base_.arms["NL-CCAM"],
}
paper = dict(_delete_=True)
