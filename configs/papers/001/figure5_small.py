"""Meng et al. 2020, hierarchical class grouping, Figure 5.

The map of every level, and their fusion, on PartWorld.
"""

_base_ = "../000/figure5_small.py"

name = "001_figure5_small"
cost = "5 minutes on 2 cores"
