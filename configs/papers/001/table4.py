"""Meng et al. 2020, hierarchical class grouping, Table 4.

Each idea alone, and both, with their controls.
"""

_base_ = "../000/table2.py"

name = "001_table4"
cost = "a day on a GPU, not measured"
