"""Which composition covers six animals best: grouper x layers x scales x fusers, measured on training images.

The validation images are not looked at: ``dataset.val`` is the training list. The winner is ``configs/champion.py``.
"""

name = "champion_search"
cost = "about an hour on 2 cores"
dataset = dict(
    name="voc", root="../shared/data/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"],
    val="Segmentation/train",
)  # fmt: skip
images = dict(size=224, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="../shared/data/weights/mobilenet_v2_imagenet_fp16.pt"
)
_single = dict(name="single", backbone=_mobilenet, epochs=6, lr=1e-4, batch_size=20)
_groups = dict(name="kmeans_hierarchy", sizes=[4, 2], trainer=_single)
_levels = dict(name="hierarchy", rest="image", reduce="max")
_views = dict(name="mean", axis="view", normalise="max")
_refined = dict(name="pamr")

_layers = {"last": "last", "three": ["features.6", "features.13", "features.18"], "stages": "stages"}
_merges = {
    "sum": dict(name="sum", axis="layer"),
    "sum of maxima": dict(name="sum", axis="layer", normalise="max"),
    "product": dict(name="product_with_last"),
}
_methods = {
    "gradcam": dict(name="gradcam"),
    "ltgradcam": dict(name="ltgradcam", truncate=0),
    "layercam": dict(name="layercam"),
    "gradcampp": dict(name="gradcampp"),
}


def _single_scale():
    """One network, one scale: every method, choice of layers and way to join them."""
    for method, options in _methods.items():
        for choice, layers in _layers.items():
            for way, fuser in _merges.items() if choice != "last" else {"": None}.items():
                fusers = [fuser] if fuser else []
                label = ", ".join(filter(None, (method, choice, way)))
                yield label, dict(extractor=dict(options, layers=layers), fusers=fusers)
                yield f"{label}, refined", dict(extractor=dict(options, layers=layers), fusers=[*fusers, _refined])
    for method in ("fullgrad", "ltfullgrad"):
        yield method, dict(extractor=dict(name=method))
        yield f"{method}, refined", dict(extractor=dict(name=method), fusers=[_refined])


def _many_scales():
    """Layer-CAM of three layers over scales and mirrored, with and without groups."""
    for scales in ([1.0, 1.5], [1.0, 1.5, 2.0]):
        seen = dict(name="layercam", layers=_layers["three"], scales=scales, flip=True)
        for way in ("sum of maxima", "product"):
            label = f"layercam, three, {way}, scales to {scales[-1]}"
            fusers = [_merges[way]]
            yield label, dict(extractor=seen, fusers=fusers)
            yield f"{label}, refined", dict(extractor=seen, fusers=[*fusers, _refined])
    seen = dict(name="layercam", layers=_layers["three"], scales=[1.0, 1.5], flip=True)
    for way in ("sum of maxima", "product"):
        for join, views in (("hierarchy", _levels), ("mean of levels", _views)):
            fusers = [_merges[way], views]
            label = f"groups, {join}, {way}, scales to 1.5"
            yield label, dict(grouper=_groups, extractor=seen, fusers=fusers)
            yield f"{label}, refined", dict(grouper=_groups, extractor=seen, fusers=[*fusers, _refined])


trainer = _single
arms = dict([*_single_scale(), *_many_scales()])
metrics = [dict(name="threshold_sweep"), dict(name="miou")]
report = dict(images=12)
