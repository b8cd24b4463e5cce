"""Do pairs help on photographs once what may hold them back is changed? ``pairs.py`` on six animals.

All 15 pairs of MobileNetV2 from ImageNet's weights (no photograph shows a person alone, so that no similarity of person
to others can be measured and pairs cannot be selected by it), trained to the end, classes of a batch balanced, layers
multiplied with and without dividing each by its maximum; beside one network.
"""

name = "pairs_animals"
about = "Two-class networks of six animals without the stop rule and balanced, beside one network of all classes."
cost = "80 minutes a seed on one core that others used"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, lr=1e-4, batch_size=32)
_single = dict(name="single", epochs=6, **_recipe)
_softmax = dict(_single, loss="softmax")
_stages = dict(name="gradcam", layers="stages")
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_raw = dict(name="product_with_last", normalise="none")
_all = dict(name="false_positive_clusters", clusters=5, select="random")
_two = dict(name="false_positive_clusters", clusters=2, select="random")


def _rows():
    """One network; then each way to train the pairs, the one without stop rule first."""
    for which, network in {"one network": _single, "one network, softmax": _softmax}.items():
        yield which, dict(trainer=network)
        yield f"{which}+A", dict(trainer=network, extractor=_stages, fusers=[_a])
        yield f"{which}+A, not normalised", dict(trainer=network, extractor=_stages, fusers=[_raw])
    for way, options in {
        "no stop, balanced": dict(stop_at_accuracy=None, balanced=True),
        "as printed": {},
    }.items():
        pair = dict(name="binary_pair", epochs=8, **(_recipe | options))
        yield f"{way}: all+F", dict(grouper=_all, trainer=pair, fusers=[_f])
        yield f"{way}: all+A+F", dict(grouper=_all, trainer=pair, extractor=_stages, fusers=[_a, _f])
        yield f"{way}: all+A+F, not normalised", dict(grouper=_all, trainer=pair, extractor=_stages, fusers=[_raw, _f])
        yield f"{way}: two at random+F", dict(grouper=_two, trainer=pair, fusers=[_f])
        yield f"{way}: two at random+A+F", dict(grouper=_two, trainer=pair, extractor=_stages, fusers=[_a, _f])


trainer = _single
extractor = dict(name="gradcam")
arms = dict(_rows())
metrics = [dict(name="threshold_sweep", choose="train"), dict(name="miou"), dict(name="mlev")]
batch_size = 64
report = dict(images=12)
