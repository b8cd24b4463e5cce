"""Meng et al. 2020, hierarchical class grouping, Table 1.

Clusters per level.
"""

_base_ = "../000/table1.py"

name = "001_table1"
cost = "a day on a GPU, not measured"

_grouped_row = _base_.arms["N = {20, 12}"]


def _grouped(sizes):
    """The row of other levels."""
    return dict(_grouped_row, grouper=dict(_grouped_row["grouper"], sizes=sizes))


arms = {  # beside the rows of the other paper's table
    "N = {20, 15}": _grouped([15]),
    "N = {20, 15, 11}": _grouped([15, 11]),
    "N = {20, 15, 11, 8}": _grouped([15, 11, 8]),
    "N = {20, 15, 11, 8, 6}": _grouped([15, 11, 8, 6]),
    "N = {20, 10}": _grouped([10]),
    "N = {20, 10, 5}": _grouped([10, 5]),
    "N = {20, 10, 5, 3}": _grouped([10, 5, 3]),
    "N = {20, 10, 5, 3, 2}": _grouped([10, 5, 3, 2]),
}

paper = {  # the paper's numbers on VOC's splits
    "N = {20, 15}": {"miou": 25.56, "mlev": 65.71, "miou@train": 30.05, "mlev@train": 62.02},
    "N = {20, 15, 11}": {"miou": 25.86, "mlev": 65.19, "miou@train": 30.32, "mlev@train": 61.7},
    "N = {20, 15, 11, 8}": {"miou": 26.08, "mlev": 64.92, "miou@train": 30.43, "mlev@train": 61.63},
    "N = {20, 15, 11, 8, 6}": {"miou": 25.91, "mlev": 65.17, "miou@train": 30.14, "mlev@train": 61.91},
    "N = {20, 10}": {"miou": 25.83, "mlev": 65.23, "miou@train": 30.12, "mlev@train": 61.96},
    "N = {20, 10, 5}": {"miou": 25.92, "mlev": 65.15, "miou@train": 30.24, "mlev@train": 61.78},
    "N = {20, 10, 5, 3}": {"miou": 25.53, "mlev": 65.5, "miou@train": 29.57, "mlev@train": 62.59},
    "N = {20, 10, 5, 3, 2}": {"miou": 24.25, "mlev": 67.13, "miou@train": 28.2, "mlev@train": 64.67},
}
