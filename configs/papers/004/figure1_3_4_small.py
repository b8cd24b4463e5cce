"""Yang et al. 2020, Combinational class activation maps, Figures 1, 3 and 4.

The maps of the first and last classes by score and their combination. Here on eight birds with MobileNetV2.
"""

_base_ = "table6_small.py"

name = "004_figure1_3_4_small"
cost = "3 minutes on 2 cores"
report = dict(images=60)
arms = {
    "_delete_": True,
    "CAM": dict(extractor=dict(name="cam")),
    **{
        name: dict(extractor=dict(name="ccam", combine="rank", rank=rank))
        for name, rank in {"1": 1, "2": 2, "3": 3, "middle": 4, "K - 2": -3, "K - 1": -2, "K": -1}.items()
    },
    "CCAM": dict(extractor=dict(name="ccam", eta=2.0)),
}
paper = dict(_delete_=True)
