"""Dong et al. 2023, Rethinking class activation maps for segmentation, Table 2.

Truncation alone: Grad-CAM of the last stage, FullGrad.
Here on PartWorld.
"""

_base_ = "table2.py"

name = "003_table2_small"
cost = "1 minute on 2 cores"
dataset = dict(_delete_=True, name="partworld")
images = dict(_delete_=True, size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
trainer = dict(
    _delete_=True, name="single", backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05,
    weight_decay=1e-3, schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
