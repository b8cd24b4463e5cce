"""Do non-local blocks train at a lower rate?

``../papers/004/table7_small.py`` at a tenth of its rate, and twice as long.
"""

_base_ = "../papers/004/table7_small.py"

name = "non_local"
about = "Non-local blocks in PartWorld's small network at rates of 0.001, with CAM and with CCAM."
cost = "6 minutes on 2 cores"

arms = {row: dict(trainer=dict(lr=1e-3, head_lr=5e-3, epochs=8)) for row in _base_.arms}
paper = dict(_delete_=True)
