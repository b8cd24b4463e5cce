"""Huang et al. 2019, multiple level class grouping, Tables 3 and 4.

The mIoU and mLEV beside other methods.
The clusters come from ResNet-50 and serve VGG-16 as well. CAM needs the pooled head of VGG-GAP.
"""

name = "000_table3_4"
cost = "a day on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", masks="SegmentationClassAug"
)
images = dict(size=224, fit="crop")

_recipe = dict(epochs=100, batch_size=20, lr=1e-4, optimizer="adam", schedule="plateau")
_resnet = dict(name="torchvision", arch="resnet50", weights="IMAGENET1K_V1")
_vgg = dict(name="torchvision", arch="vgg16", weights="IMAGENET1K_V1")
_vgg_gap = dict(name="vgg_gap", weights="IMAGENET1K_V1")
_cbam = dict(name="cbam", arch="resnet50", weights="IMAGENET1K_V1")
_branches = dict(name="mean", axis="branch")
_both = dict(name="max", axis="branch", normalise="max")
_levels = dict(name="hierarchy", rest="image", reduce="max")


def _single(backbone):
    return dict(name="single", backbone=backbone, **_recipe)


def _orthogonal(backbone):
    return dict(name="two_branch_orthogonal", backbone=backbone, features="maps", weight=1e-4, **_recipe)


_clusters = dict(name="kmeans_hierarchy", sizes=[12, 8, 5], trainer=_single(_resnet))

extractor = dict(name="gradcam")
arms = {
    "CAM, ResNet-50": dict(trainer=_single(_resnet), extractor=dict(name="cam")),
    "Grad-CAM, ResNet-50": dict(trainer=_single(_resnet)),
    "CBAM, ResNet-50": dict(trainer=_single(_cbam)),
    "ours, ResNet-50": dict(grouper=_clusters, trainer=_orthogonal(_resnet), fusers=[_branches, _levels]),
    "CAM, VGG-16": dict(trainer=_single(_vgg_gap), extractor=dict(name="cam")),
    "Grad-CAM, VGG-16": dict(trainer=_single(_vgg)),
    "ACoL, VGG-16": dict(
        trainer=dict(name="acol", backbone=_vgg, **_recipe), extractor=dict(name="cam"), fusers=[_both]
    ),
    "ours, VGG-16": dict(grouper=_clusters, trainer=_orthogonal(_vgg), fusers=[_branches, _levels]),
}
metrics = [dict(name="miou"), dict(name="mlev")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "CAM, ResNet-50": {"miou": 20.9, "mlev": 74.33, "miou@train": 24.69, "mlev@train": 70.32},
    "Grad-CAM, ResNet-50": {"miou": 23.59, "mlev": 68.5, "miou@train": 28.37, "mlev@train": 64.49},
    "CBAM, ResNet-50": {"miou": 19.93, "mlev": 77.04, "miou@train": 23.85, "mlev@train": 71.47},
    "ours, ResNet-50": {"miou": 25.97, "mlev": 65.08, "miou@train": 30.24, "mlev@train": 61.82},
    "CAM, VGG-16": {"miou": 23.81, "mlev": 68.4, "miou@train": 27.35, "mlev@train": 65.57},
    "Grad-CAM, VGG-16": {"miou": 27.62, "mlev": 65.62, "miou@train": 30.79, "mlev@train": 63.24},
    "ACoL, VGG-16": {"miou": 19.52, "mlev": 76.56, "miou@train": 20.41, "mlev@train": 75.32},
    "ours, VGG-16": {"miou": 31.32, "mlev": 58.84, "miou@train": 34.37, "mlev@train": 55.89},
}
