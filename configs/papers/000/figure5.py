"""Huang et al. 2019, multiple level class grouping, Figure 5.

The map of every level, and their fusion.
"""

name = "000_figure5"
cost = "a day on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", masks="SegmentationClassAug"
)
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(name="torchvision", arch="resnet50", weights="IMAGENET1K_V1"),
    epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau",
)  # fmt: skip
_single = dict(name="single", **_recipe)
_orthogonal = dict(name="two_branch_orthogonal", features="maps", weight=1e-4, **_recipe)
_branches = dict(name="mean", axis="branch")
_levels = dict(name="hierarchy", rest="image", reduce="max")
_clusters = dict(name="kmeans_hierarchy", sizes=[12, 8, 5], trainer=_single)

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "baseline": dict(note="Grad-CAM on one network"),
    "ours": dict(
        grouper=_clusters, trainer=_orthogonal, fusers=[_branches, _levels], note="the page shows every level's map too"
    ),
}
metrics = [dict(name="miou"), dict(name="mlev")]
report = dict(images=60)
