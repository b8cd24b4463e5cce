"""Meng et al. 2020, hierarchical class grouping, Figure 5.

The map of every level, and their fusion, on six animals of PASCAL VOC.
"""

_base_ = "../000/figure5_small_animals.py"

name = "001_figure5_small_animals"
cost = "10 minutes on 2 cores"
