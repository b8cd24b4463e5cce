"""Huang et al. 2019, multiple level class grouping, Table 1.

Clusters per level, on six animals of PASCAL VOC.
"""

name = "000_table1_small_animals"
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


def _grouped(sizes):
    """Both ideas of the paper: levels from the rows of a plain network, each level two orthogonal branches."""
    grouper = dict(name="kmeans_hierarchy", sizes=sizes, trainer=_single)
    return dict(grouper=grouper, trainer=_orthogonal, fusers=[_branches, _levels])


trainer = _single
extractor = dict(name="gradcam")
arms = {
    "N = {6}": dict(note="Grad-CAM on one network"),
    "N = {6, 4}": _grouped([4]),
    "N = {6, 4, 3}": _grouped([4, 3]),
    "N = {6, 4, 3, 2}": _grouped([4, 3, 2]),
}
metrics = [dict(name="miou"), dict(name="mlev")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "N = {6}": {"miou": 23.59, "mlev": 68.5, "miou@train": 28.37, "mlev@train": 64.49},
    "N = {6, 4}": {"miou": 24.73, "mlev": 67.86, "miou@train": 29.15, "mlev@train": 63.7},
    "N = {6, 4, 3}": {"miou": 25.75, "mlev": 65.77, "miou@train": 29.67, "mlev@train": 63.02},
    "N = {6, 4, 3, 2}": {"miou": 25.97, "mlev": 65.08, "miou@train": 30.24, "mlev@train": 61.82},
}
