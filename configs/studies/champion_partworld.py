"""The champion's ingredients on PartWorld, where a class differs from its siblings by a small part alone.

A small network learns twelve classes from scratch. Semantic information maps are what the champion of the photographs
begins with; here Layer-CAM of all stages is the better beginning, and both stand in the table. Layers, sharing and
refinement were chosen on other images (``dataset.seed=1``), the threshold on the training images.
"""

name = "champion_partworld"
about = "Twelve drawn classes covered from labels alone: each ingredient of the champion in turn."
cost = "1.5 minutes a seed on one core"
dataset = dict(name="partworld", train=800, val=200)
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_small = dict(name="small")
_recipe = dict(backbone=_small, optimizer="adamw", weight_decay=1e-3, schedule="onecycle", batch_size=32)
_single = dict(_recipe, name="single", lr=0.01, head_lr=0.05, epochs=6)
_cam = dict(name="cam")
_refined = dict(name="pamr", dilations=[1, 2, 4, 8])
_shared = dict(name="share", sharpness=0.8)
_crf = dict(name="dense_crf", cell=2, position=23.0, near=1.0)  # the distances of an image of 224 pixels, here of 64
_sum = dict(name="sum", axis="layer", normalise="max")
_stages = ["stage1", "stage2", "stage3", "stage4"]


def _sim(**options):
    return dict(name="sim", layers=["stage1", "stage2"], **options)


def _layercam(inside=""):
    """Layer-CAM of every stage; ``inside``: where the classifier stands in another network."""
    return dict(name="layercam", layers=[f"{inside}{stage}" for stage in _stages])


def _beside(*extractors, **options):
    return dict(name="beside", extractors=list(extractors), **options)


_seeds = dict(extractor=_beside(_layercam(), _cam), fusers=[_shared, _refined])
_pixels = dict(
    _recipe, name="pixels", layers=_stages, epochs=4, lr=0.01, flip=True,
    seeds=dict(trainer=_single, **_seeds),
)  # fmt: skip
_both = _beside(dict(name="pixels"), _layercam("classifier."), _cam)

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": {},
    "SIM": dict(extractor=_sim()),
    "SIM, two scales": dict(extractor=_sim(scales=[1.0, 1.5])),
    "SIM, two scales, shared": dict(extractor=_beside(_sim(), _cam, scales=[1.0, 1.5]), fusers=[_shared]),
    "SIM, two scales, shared, refined": dict(
        extractor=_beside(_sim(), _cam, scales=[1.0, 1.5]), fusers=[_shared, _refined]
    ),
    "Layer-CAM": dict(extractor=_layercam(), fusers=[_sum]),
    "Layer-CAM, refined": dict(extractor=_layercam(), fusers=[_sum, _refined]),
    "Layer-CAM, shared, refined: the seeds": _seeds,
    "places": dict(trainer=_pixels, extractor=dict(name="pixels")),
    "champion": dict(trainer=_pixels, extractor=_both, fusers=[_shared, _refined]),
    "champion, dense CRF": dict(trainer=_pixels, extractor=_both, fusers=[_shared, _crf]),
    "champion, not refined": dict(trainer=_pixels, extractor=_both, fusers=[_shared]),
    "champion, not shared": dict(
        trainer=_pixels, extractor=_beside(dict(name="pixels"), _layercam("classifier.")), fusers=[_sum, _refined]
    ),
}
metrics = [dict(name="threshold_sweep", choose="train"), dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=20)
