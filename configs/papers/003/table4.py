"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 4.

Layers and truncation together, on surface defects.
"""

_base_ = "table3.py"

name = "003_table4"
cost = "hours on a GPU, not measured"
dataset = dict(name="ksdd2", root="$CAMFORGE_DATA/KolektorSDD2")
images = dict(size=[630, 230], fit="squash")

paper = {  # the paper's numbers; with one class both kinds of F1 are one
    "_delete_": True,
    "Grad-CAM++": {"miou": 25.87, "precision": 34.75, "recall": 50.31, "micro_f1": 41.11},
    "Grad-CAM": {"miou": 25.73, "precision": 27.79, "recall": 77.63, "micro_f1": 40.93},
    "FullGrad": {"miou": 22.14, "precision": 23.41, "recall": 80.25, "micro_f1": 36.25},
    "Layer-CAM (l = 1, delta = 0)": {"miou": 20.5, "precision": 21.67, "recall": 79.14, "micro_f1": 34.03},
    "Layer-CAM (l = 5, delta = 0)": {"miou": 28.92, "precision": 31.8, "recall": 76.12, "micro_f1": 44.86},
    "LTGrad-CAM (l = 5, delta = 0)": {"miou": 33.01, "precision": 37.07, "recall": 75.06, "micro_f1": 49.63},
    "LTGrad-CAM (l = 5, delta = 20)": {"miou": 35.37, "precision": 40.88, "recall": 72.42, "micro_f1": 52.26},
}
