"""Every extractor on one trained network: on the last stage and on all, with truncation from none to 60 percent.

``camforge bench extractors``. One forward and the least backward serve all rows; your own joins with
``--add extractor=mycam``. "threshold_sweep" takes each method at the threshold that suits it on the training images.
SS-CAM and IS-CAM ask the network once per channel and sample: two samples, two steps here, not the papers' 35 and 10.
"""

name = "extractors"
about = "Every extractor x layers x delta on one network of PartWorld, the threshold of each chosen on training images."
cost = "15 minutes on 2 cores"
dataset = dict(name="partworld", train=1000, val=200)
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

trainer = dict(
    name="single", backbone=dict(name="small"), optimizer="adamw", lr=0.01, head_lr=0.05, weight_decay=1e-3,
    schedule="onecycle", epochs=8, batch_size=32,
)  # fmt: skip

_gradient = [
    "gradcam", "gradcampp", "xgradcam", "hirescam", "elementwise", "layercam", "smoothgradcampp", "shapleycam",
    "eigengradcam",
]  # fmt: skip
_layers = {"last": dict(layers="last"), "stages": dict(layers="stages", merge="sum")}
_deltas = [0, 20, 40, 60]
_others = [
    "cam", "ccam", "finercam", "refinecam", "eigencam", "kpcacam", "fem", "ablationcam", "scorecam", "random",
]  # fmt: skip

arms = {
    **{name: dict(extractor=dict(name=name)) for name in _others},
    "sscam, two samples": dict(extractor=dict(name="sscam", samples=2)),
    "iscam, two steps": dict(extractor=dict(name="iscam", steps=2)),
    **{
        f"{name}, {where}": dict(extractor=dict(name=name, **layers))
        for name in _gradient
        for where, layers in _layers.items()
    },
    **{
        f"{name}, {where}, delta {delta}": dict(extractor=dict(name=name, truncate=delta, **layers))
        for name in _gradient
        for where, layers in _layers.items()
        for delta in _deltas
    },
    "fullgrad": dict(extractor=dict(name="fullgrad")),
    **{f"fullgrad, delta {delta}": dict(extractor=dict(name="fullgrad", truncate=delta)) for delta in _deltas},
}
metrics = [dict(name="threshold_sweep", choose="train"), dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=12)
