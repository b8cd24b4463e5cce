"""Meng et al. 2020, hierarchical class grouping, Figure 5.

The map of every level, and their fusion.
"""

_base_ = "../000/figure5.py"

name = "001_figure5"
cost = "a day on a GPU, not measured"
