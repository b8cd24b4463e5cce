"""Meng et al. 2020, hierarchical class grouping, Figure 6.

The maps of two branches with and without the orthogonal module, on six animals of PASCAL VOC.
"""

name = "001_figure6_small_animals"
cost = "6 minutes on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
_orthogonal = dict(name="two_branch_orthogonal", features="maps", weight=1e-4, **_recipe)
_branches = dict(name="mean", axis="branch")
_independent = dict(name="two_branch_orthogonal", weight=0.0, **_recipe)

trainer = _orthogonal
extractor = dict(name="gradcam")
fusers = [_branches]
arms = {
    "independent": dict(trainer=_independent, note="two branches without the orthogonal module"),
    "orthogonal": dict(note="the page shows each branch's map too"),
}
metrics = [dict(name="miou"), dict(name="mlev")]
report = dict(images=60)
