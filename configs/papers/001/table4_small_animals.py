"""Meng et al. 2020, hierarchical class grouping, Table 4.

Each idea alone, and both, with their controls, on six animals of PASCAL VOC.
"""

_base_ = "../000/table2_small_animals.py"

name = "001_table4_small_animals"
cost = "14 minutes on 2 cores"
