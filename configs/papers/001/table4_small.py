"""Meng et al. 2020, hierarchical class grouping, Table 4.

Each idea alone, and both, with their controls, on PartWorld.
"""

_base_ = "../000/table2_small.py"

name = "001_table4_small"
cost = "6 minutes on 2 cores"
