"""Huang et al. 2019, multiple level class grouping, Tables 3 and 4.

The mIoU and mLEV beside other methods, on six animals of PASCAL VOC.
CBAM is left out: no ResNet weights are at hand here.
"""

name = "000_table3_4_small_animals"
cost = "11 minutes on 2 cores"
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
_clusters = dict(name="kmeans_hierarchy", sizes=[4, 2], trainer=_single)
_acol = dict(name="acol", width=256, **_recipe)

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "CAM": dict(extractor=dict(name="cam")),
    "Grad-CAM": dict(note="the positive part of CAM, behind a pooled linear head"),
    "ACoL": dict(trainer=_acol, extractor=dict(name="cam"), fusers=[dict(name="max", axis="branch", normalise="max")]),
    "ours": dict(grouper=_clusters, trainer=_orthogonal, fusers=[_branches, _levels]),
}
metrics = [dict(name="miou"), dict(name="mlev")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "CAM": {"miou": 20.9, "mlev": 74.33, "miou@train": 24.69, "mlev@train": 70.32},
    "Grad-CAM": {"miou": 23.59, "mlev": 68.5, "miou@train": 28.37, "mlev@train": 64.49},
    "ACoL": {"miou": 19.52, "mlev": 76.56, "miou@train": 20.41, "mlev@train": 75.32},
    "ours": {"miou": 25.97, "mlev": 65.08, "miou@train": 30.24, "mlev@train": 61.82},
}
