"""Which reading of the orthogonal constraint trains on photographs, from pretrained networks.

``camforge bench orthogonal-animals``. ``orthogonal.py``'s table, with the recipe of
``../papers/000/table1_small_animals.py``, whose networks are those of the rows "one network" and "maps, batch_mean".
"""

name = "orthogonal_animals"
about = "Pretrained branches under the orthogonal constraint in every reading, beside one network and two without it."
cost = "40 minutes per seed on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
_single = dict(name="single", **_recipe)


def _two(**options):
    """Two branches, averaged."""
    return dict(
        trainer=dict(name="two_branch_orthogonal", **options, **_recipe),
        fusers=[dict(name="mean", axis="branch")],
    )


trainer = _single
extractor = dict(name="gradcam")
arms = {"one network": dict(), "two independent": _two(weight=0.0)} | {
    f"{features}, {reduction}, {weight:.0e}": _two(features=features, reduction=reduction, weight=weight)
    for weight in (1e-4, 1e-5, 1e-6)
    for features in ("maps", "pooled")
    for reduction in ("batch_mean", "sum")
}
metrics = [dict(name="miou"), dict(name="mlev")]
report = dict(images=12)
