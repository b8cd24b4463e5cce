"""Meng et al. 2020, hierarchical class grouping, Tables 2 and 3.

The mIoU and mLEV beside other methods, on six animals of PASCAL VOC.
CBAM is left out: no ResNet weights are at hand here.
"""

_base_ = "../000/table3_4_small_animals.py"

name = "001_table2_3_small_animals"
cost = "11 minutes on 2 cores"
