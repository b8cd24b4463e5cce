"""Meng et al., representative class selection, Tables 2 to 4.

Selections, on five animals of PASCAL VOC.
People are left out: no image here shows a person alone, and the similarity asks for such images.
"""

name = "002_table2_small_animals"
cost = "6 minutes on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
_single = dict(name="single", **_recipe)
_softmax = dict(_single, loss="softmax")
_clusters = dict(name="false_positive_clusters", clusters=3, min_size=1, trainer=_softmax)
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_stages = dict(name="gradcam", layers="stages")
_pair = dict(name="binary_pair", backbone=_mobilenet, lr=1e-4, batch_size=24, epochs=4)
_selections = {
    "Random": dict(select="random"),
    "Rank-a": dict(select="rank", positions=[3, 9, 14, 17]),
    "Rank-b": dict(select="rank", positions=[3, 8, 13, 18]),
    "S-1": dict(select="s_k", k=1),
    "S-2": dict(select="s_k", k=2),
}
_alone = dict(name="none", exclusive=True)  # the softmax network sees images with a single label


def _rows():
    """Plain Grad-CAM, alone and with A, then each selection with F, and with A and F."""
    yield "Baseline", dict(grouper=_alone, trainer=_softmax)
    yield "Baseline, multi-label", dict(note="one network on all images, binary cross entropy")
    yield (
        "Baseline, multi-label+A",
        dict(extractor=_stages, fusers=[_a], note="control: the multi-layer product without pairs"),
    )
    for row, options in _selections.items():
        grouper = dict(_clusters, **options)
        yield f"{row}+F", dict(grouper=grouper, trainer=_pair, fusers=[_f])
        yield f"{row}+A+F", dict(grouper=grouper, trainer=_pair, extractor=_stages, fusers=[_a, _f])


trainer = _single
extractor = dict(name="gradcam")
arms = dict(_rows())
metrics = [dict(name="miou")]
measure_on = ["val", "train"]

paper = {  # Table 4, MobileNetV2, VOC val
    "Baseline": {"miou": 25.54},
    "Random+F": {"miou": 26.07},
    "Random+A+F": {"miou": 23.03},
    "Rank-a+F": {"miou": 26.31},
    "Rank-a+A+F": {"miou": 23.89},
    "Rank-b+F": {"miou": 25.86},
    "Rank-b+A+F": {"miou": 23.28},
    "S-1+F": {"miou": 25.19},
    "S-1+A+F": {"miou": 22.74},
    "S-2+F": {"miou": 25.47},
    "S-2+A+F": {"miou": 23.0},
}
