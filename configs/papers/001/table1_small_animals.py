"""Meng et al. 2020, hierarchical class grouping, Table 1.

Clusters per level, on six animals of PASCAL VOC.
"""

_base_ = "../000/table1_small_animals.py"

name = "001_table1_small_animals"
cost = "17 minutes on 2 cores"

_grouped_row = _base_.arms["N = {6, 4}"]


def _grouped(sizes):
    """The row of other levels."""
    return dict(_grouped_row, grouper=dict(_grouped_row["grouper"], sizes=sizes))


arms = {  # beside the rows of the other paper's table
    "N = {6, 5}": _grouped([5]),
    "N = {6, 5, 3}": _grouped([5, 3]),
    "N = {6, 5, 3, 2}": _grouped([5, 3, 2]),
    "N = {6, 3}": _grouped([3]),
    "N = {6, 3, 2}": _grouped([3, 2]),
}

paper = {  # the paper's numbers on VOC's splits
    "N = {6, 5}": {"miou": 25.56, "mlev": 65.71, "miou@train": 30.05, "mlev@train": 62.02},
    "N = {6, 5, 3}": {"miou": 25.86, "mlev": 65.19, "miou@train": 30.32, "mlev@train": 61.7},
    "N = {6, 5, 3, 2}": {"miou": 26.08, "mlev": 64.92, "miou@train": 30.43, "mlev@train": 61.63},
    "N = {6, 3}": {"miou": 25.83, "mlev": 65.23, "miou@train": 30.12, "mlev@train": 61.96},
    "N = {6, 3, 2}": {"miou": 25.92, "mlev": 65.15, "miou@train": 30.24, "mlev@train": 61.78},
}
