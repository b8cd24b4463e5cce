"""Yang et al. 2020, Combinational class activation maps, the supplement's maps of Stanford Cars.

CAM, the maps of the first and last classes by score, and NL-CCAM's combination.
"""

_base_ = "figure1_3_4_cub.py"

name = "004_supplement_cars"
dataset = dict(_delete_=True, name="stanford_cars", root="$CAMFORGE_DATA/stanford_cars")
arms = {"middle": dict(extractor=dict(rank=98))}
