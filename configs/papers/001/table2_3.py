"""Meng et al. 2020, hierarchical class grouping, Tables 2 and 3.

The mIoU and mLEV beside other methods.
The clusters come from ResNet-50 and serve VGG-16 as well. CAM needs the pooled head of VGG-GAP.
"""

_base_ = "../000/table3_4.py"

name = "001_table2_3"
cost = "a day on a GPU, not measured"
