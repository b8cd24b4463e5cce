"""Meng et al., representative class selection, Table 5's COCO column, Figures 7 to 9.

The per-class bars of the page are Figure 8, its gallery Figures 7 and 9: the maps of every stage, and their fusion.
"""

_base_ = "table5.py"

name = "002_table5_coco"
cost = "days on a GPU, not measured"
dataset = dict(_delete_=True, name="coco", root="$CAMFORGE_DATA/coco")
measure_on = ["val"]
report = dict(images=60)

paper = {  # COCO 2017 val
    "_delete_": True,
    "CAM": {"miou": 10.32},
    "Grad-CAM": {"miou": 11.82},
    "ACoL": {"miou": 9.42},
    "CBAM": {"miou": 9.67},
    "ours without fusion": {"miou": 12.85},
    "ours": {"miou": 15.41},
}
