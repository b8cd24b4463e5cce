"""Meng et al. 2020, hierarchical class grouping, Figure 6.

The maps of two branches with and without the orthogonal module.
"""

name = "001_figure6"
cost = "a day on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", masks="SegmentationClassAug"
)
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(name="torchvision", arch="resnet50", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
)  # fmt: skip
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
