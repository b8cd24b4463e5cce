"""Dong et al. 2023, Rethinking class activation maps for segmentation, Figures 4 and 5.

Truncation from 0 to 90 percent, for three methods over all stages.
Here on PartWorld.
"""

_base_ = "figure4_5.py"

name = "003_figure4_5_small_partworld"
cost = "1 minute on 2 cores"
measure_on = ["val"]  # 3,000 training images and 30 arms take long
dataset = dict(_delete_=True, name="partworld")
images = dict(_delete_=True, size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
trainer = dict(
    _delete_=True, name="single", backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05,
    weight_decay=1e-3, schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
