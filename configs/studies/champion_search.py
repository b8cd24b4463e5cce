"""Which composition covers six animals best: groups, layers, scales, fusers, refinement; on training images only.

The validation images are not looked at: ``dataset.val`` is the training list. Its winner was the champion of its day;
``configs/champion.py`` came later.
"""

name = "champion_search"
cost = "about an hour on 2 cores"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"],
    val="Segmentation/train",
)  # fmt: skip
images = dict(size=224, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
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


def _single_scale():
    """One network, one scale: every choice of layers and way to join them, refined or not."""
    for choice, layers in _layers.items():
        for way, fuser in _merges.items() if choice != "last" else {"": None}.items():
            fusers = [fuser] if fuser else []
            label = ", ".join(filter(None, (choice, way)))
            yield label, dict(extractor=dict(name="layercam", layers=layers), fusers=fusers)
            yield f"{label}, refined", dict(extractor=dict(name="layercam", layers=layers), fusers=[*fusers, _refined])


def _more():
    """Three layers over scales and mirrored; three layers of every level of groups."""
    seen = dict(name="layercam", layers=_layers["three"])
    scales = dict(seen, scales=[1.0, 1.5], flip=True)
    for way in ("sum of maxima", "product"):
        yield f"scales, {way}", dict(extractor=scales, fusers=[_merges[way]])
        yield f"scales, {way}, refined", dict(extractor=scales, fusers=[_merges[way], _refined])
        for join, views in (("hierarchy", _levels), ("mean of levels", _views)):
            fusers = [_merges[way], views]
            yield f"groups, {join}, {way}", dict(grouper=_groups, extractor=seen, fusers=fusers)
            yield (
                f"groups, {join}, {way}, refined",
                dict(grouper=_groups, extractor=seen, fusers=[*fusers, _refined]),
            )


trainer = _single
arms = {"gradcam": dict()} | dict([*_single_scale(), *_more()])
extractor = dict(name="gradcam")
metrics = [dict(name="threshold_sweep"), dict(name="miou")]
report = dict(images=12)
