"""Yang et al. 2020, Combinational class activation maps, the supplement's maps of STL-10.

CAM, the maps of the first and last classes by score, and NL-CCAM's combination. The set has neither boxes nor masks:
how much of the class's score a map keeps stands for a number.
"""

_base_ = "figure1_3_4_cub.py"

name = "004_supplement_stl10"
dataset = dict(_delete_=True, name="stl10", root="$CAMFORGE_DATA/stl10_binary")
arms = {"middle": dict(extractor=dict(rank=5))}
metrics = [dict(name="average_drop")]
