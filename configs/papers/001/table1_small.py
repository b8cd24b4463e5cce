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

paper = {  # the paper's numbers on VOC val
    "N = {12, 9}": {"miou": 25.56, "mlev": 65.71},
    "N = {12, 9, 7}": {"miou": 25.86, "mlev": 65.19},
    "N = {12, 9, 7, 5}": {"miou": 26.08, "mlev": 64.92},
    "N = {12, 9, 7, 5, 4}": {"miou": 25.91, "mlev": 65.17},
    "N = {12, 6}": {"miou": 25.83, "mlev": 65.23},
    "N = {12, 6, 3}": {"miou": 25.92, "mlev": 65.15},
    "N = {12, 6, 3, 2}": {"miou": 25.53, "mlev": 65.5},
}
