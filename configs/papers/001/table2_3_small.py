"""Meng et al. 2020, hierarchical class grouping, Tables 2 and 3.

The mIoU and mLEV beside other methods, on PartWorld.
CBAM's attention stands in the two residual blocks of the small network.
"""

_base_ = "../000/table3_4_small.py"

name = "001_table2_3_small"
cost = "6 minutes on 2 cores"
