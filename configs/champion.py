"""Seeds from labels alone: what training images chose among layers, scales, affinities and second looks, as a ladder.

A MobileNetV2 learns which of six animals a photograph shows. Its semantic information maps (two layers, two scales) are
shared among the classes of the image by their class activation maps and refined along the photograph; on these seeds a
classifier of places learns on the same features, and both maps are joined, shared and refined again. Needs
$CAMFORGE_DATA/voc_animals, PASCAL VOC in its published layout, and ImageNet weights of MobileNetV2 beside it.
"""

name = "champion"
about = "Six animals covered from labels alone: each ingredient in turn, the threshold chosen on training images."
cost = "20 minutes a seed on one core"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=224, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_single = dict(name="single", backbone=_mobilenet, epochs=6, lr=1e-4, batch_size=20)
_cam = dict(name="cam")
_refined = dict(name="pamr")
_shared = dict(name="share", sharpness=0.8)
_sum = dict(name="sum", axis="layer", normalise="max")


def _sim(inside=""):
    """Semantic information maps of two layers; ``inside``: where the classifier stands in another network."""
    return dict(name="sim", layers=[f"{inside}features.6", f"{inside}features.13"])


def _beside(*extractors):
    return dict(name="beside", extractors=list(extractors), scales=[1.0, 1.5])


_first = dict(extractor=_beside(_sim(), _cam), fusers=[_shared, _refined])
_pixels = dict(
    name="pixels", backbone=_mobilenet, layers=["features.6", "features.10", "features.13"], epochs=6, lr=0.01,
    optimizer="adamw", weight_decay=1e-3, schedule="onecycle", flip=True, batch_size=20,
    seeds=dict(trainer=_single, **_first),
)  # fmt: skip
_second = _beside(dict(name="pixels"), _sim("classifier."), _cam)

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": {},
    "SIM": dict(extractor=_sim()),
    "SIM, two scales": dict(extractor=dict(_sim(), scales=[1.0, 1.5])),
    "SIM, refined": dict(extractor=dict(_sim(), scales=[1.0, 1.5]), fusers=[_refined]),
    "SIM, shared, refined: the seeds": _first,
    "places": dict(trainer=_pixels, extractor=dict(name="pixels", scales=[1.0, 1.5])),
    "champion": dict(trainer=_pixels, extractor=_second, fusers=[_shared, _refined]),
    "champion, dense CRF": dict(trainer=_pixels, extractor=_second, fusers=[_shared, dict(name="dense_crf")]),
    "champion, not refined": dict(trainer=_pixels, extractor=_second, fusers=[_shared]),
    "champion, not shared": dict(
        trainer=_pixels, extractor=_beside(dict(name="pixels"), _sim("classifier.")), fusers=[_sum, _refined]
    ),
}
metrics = [dict(name="threshold_sweep", choose="train"), dict(name="miou"), dict(name="mlev")]
report = dict(images=40)
