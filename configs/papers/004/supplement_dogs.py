"""Yang et al. 2020, Combinational class activation maps, the supplement's maps of Stanford Dogs.

CAM, the maps of the first and last classes by score, and NL-CCAM's combination.
"""

_base_ = "figure1_3_4_cub.py"

name = "004_supplement_dogs"
dataset = dict(_delete_=True, name="stanford_dogs", root="$CAMFORGE_DATA/stanford_dogs")
arms = {"middle": dict(extractor=dict(rank=60))}
