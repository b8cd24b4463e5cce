"""Meng et al. 2020, hierarchical class grouping, Table 1.

Clusters per level, at the scale of PartWorld's twelve classes.
"""

_base_ = "../000/table1_small.py"

name = "001_table1_small"
cost = "10 minutes on 2 cores"

_grouped_row = _base_.arms["N = {12, 7}"]


def _grouped(sizes):
    """The row of other levels."""
    return dict(_grouped_row, grouper=dict(_grouped_row["grouper"], sizes=sizes))


arms = {  # beside the rows of the other paper's table
    "N = {12, 9}": _grouped([9]),
    "N = {12, 9, 7}": _grouped([9, 7]),
    "N = {12, 9, 7, 5}": _grouped([9, 7, 5]),
    "N = {12, 9, 7, 5, 4}": _grouped([9, 7, 5, 4]),
    "N = {12, 6}": _grouped([6]),
    "N = {12, 6, 3}": _grouped([6, 3]),
    "N = {12, 6, 3, 2}": _grouped([6, 3, 2]),
}

paper = {  # the paper's numbers on VOC's splits
    "N = {12, 9}": {"miou": 25.56, "mlev": 65.71, "miou@train": 30.05, "mlev@train": 62.02},
    "N = {12, 9, 7}": {"miou": 25.86, "mlev": 65.19, "miou@train": 30.32, "mlev@train": 61.7},
    "N = {12, 9, 7, 5}": {"miou": 26.08, "mlev": 64.92, "miou@train": 30.43, "mlev@train": 61.63},
    "N = {12, 9, 7, 5, 4}": {"miou": 25.91, "mlev": 65.17, "miou@train": 30.14, "mlev@train": 61.91},
    "N = {12, 6}": {"miou": 25.83, "mlev": 65.23, "miou@train": 30.12, "mlev@train": 61.96},
    "N = {12, 6, 3}": {"miou": 25.92, "mlev": 65.15, "miou@train": 30.24, "mlev@train": 61.78},
    "N = {12, 6, 3, 2}": {"miou": 25.53, "mlev": 65.5, "miou@train": 29.57, "mlev@train": 62.59},
}
