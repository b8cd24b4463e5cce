"""Huang et al. 2019, multiple level class grouping, Figure 5.

The map of every level, and their fusion, on six animals of PASCAL VOC.
"""

name = "000_figure5_small_animals"
cost = "10 minutes on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
_single = dict(name="single", **_recipe)
_orthogonal = dict(name="two_branch_orthogonal", features="maps", weight=1e-4, **_recipe)
_branches = dict(name="mean", axis="branch")
_levels = dict(name="hierarchy", rest="image", reduce="max")
_clusters = dict(name="kmeans_hierarchy", sizes=[4, 3, 2], trainer=_single)

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
