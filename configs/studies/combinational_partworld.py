"""When does CCAM help? ``combinational.py`` on PartWorld, with the network of ``../papers/004/table7_small.py``.

Once for each way to cut a map: ``--set metrics.0.normalise=minmax --set metrics.0.threshold=0.12``, metrics.1 as well.
"""

_base_ = "combinational.py"

name = "combinational_partworld"
about = "CAM and its combinations on PartWorld, ranked by the network's scores or with the asked class first."
cost = "2 minutes on 2 cores"
dataset = dict(_delete_=True, name="partworld")
images = dict(_delete_=True, size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
trainer = dict(
    _delete_=True, name="single", backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05,
    weight_decay=1e-3, schedule="onecycle", epochs=4, batch_size=32,
)  # fmt: skip
metrics = [
    dict(name="miou", threshold=0.15, normalise="max"),
    dict(name="localization", threshold=0.15, normalise="max"),
    dict(name="coverage"),
]
