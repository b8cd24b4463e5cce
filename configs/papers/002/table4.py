"""Meng et al., representative class selection, Table 4.

Table 2's selections with small networks.
"""

_base_ = "table2.py"

name = "002_table4"
measure_on = ["val"]

_columns = {
    "VGG-19": dict(name="torchvision", arch="vgg19", weights="IMAGENET1K_V1"),
    "ResNet-18": dict(name="torchvision", arch="resnet18", weights="IMAGENET1K_V1"),
    "MobileNetV2": dict(name="torchvision", arch="mobilenet_v2", weights="IMAGENET1K_V1"),
}
_rows = {name.removesuffix(", ResNet-50"): arm for name, arm in _base_.arms.items() if name.endswith(", ResNet-50")}

arms = {
    f"{row}, {column}": dict(arm, trainer=dict(arm.trainer, backbone=backbone))
    for column, backbone in _columns.items()
    for row, arm in _rows.items()
}
arms["_delete_"] = True  # instead of Table 2's columns

paper = {  # the paper's numbers on VOC val
    "_delete_": True,
    "Baseline, VGG-19": {"miou": 22.43},
    "Random+F, VGG-19": {"miou": 32.02},
    "Random+A+F, VGG-19": {"miou": 34.54},
    "Rank-a+F, VGG-19": {"miou": 34.62},
    "Rank-a+A+F, VGG-19": {"miou": 35.87},
    "Rank-b+F, VGG-19": {"miou": 32.09},
    "Rank-b+A+F, VGG-19": {"miou": 32.97},
    "S-1+F, VGG-19": {"miou": 33.54},
    "S-1+A+F, VGG-19": {"miou": 34.62},
    "S-2+F, VGG-19": {"miou": 32.56},
    "S-2+A+F, VGG-19": {"miou": 33.37},
    "S-3+F, VGG-19": {"miou": 32.85},
    "S-3+A+F, VGG-19": {"miou": 34.83},
    "S-4+F, VGG-19": {"miou": 31.24},
    "S-4+A+F, VGG-19": {"miou": 34.95},
    "Baseline, ResNet-18": {"miou": 19.65},
    "Random+F, ResNet-18": {"miou": 24.57},
    "Random+A+F, ResNet-18": {"miou": 30.83},
    "Rank-a+F, ResNet-18": {"miou": 25.19},
    "Rank-a+A+F, ResNet-18": {"miou": 31.23},
    "Rank-b+F, ResNet-18": {"miou": 24.4},
    "Rank-b+A+F, ResNet-18": {"miou": 30.73},
    "S-1+F, ResNet-18": {"miou": 24.53},
    "S-1+A+F, ResNet-18": {"miou": 29.55},
    "S-2+F, ResNet-18": {"miou": 24.88},
    "S-2+A+F, ResNet-18": {"miou": 30.9},
    "S-3+F, ResNet-18": {"miou": 24.61},
    "S-3+A+F, ResNet-18": {"miou": 30.73},
    "S-4+F, ResNet-18": {"miou": 24.36},
    "S-4+A+F, ResNet-18": {"miou": 30.73},
    "Baseline, MobileNetV2": {"miou": 25.54},
    "Random+F, MobileNetV2": {"miou": 26.07},
    "Random+A+F, MobileNetV2": {"miou": 23.03},
    "Rank-a+F, MobileNetV2": {"miou": 26.31},
    "Rank-a+A+F, MobileNetV2": {"miou": 23.89},
    "Rank-b+F, MobileNetV2": {"miou": 25.86},
    "Rank-b+A+F, MobileNetV2": {"miou": 23.28},
    "S-1+F, MobileNetV2": {"miou": 25.19},
    "S-1+A+F, MobileNetV2": {"miou": 22.74},
    "S-2+F, MobileNetV2": {"miou": 25.47},
    "S-2+A+F, MobileNetV2": {"miou": 23.0},
    "S-3+F, MobileNetV2": {"miou": 25.76},
    "S-3+A+F, MobileNetV2": {"miou": 23.23},
    "S-4+F, MobileNetV2": {"miou": 26.21},
    "S-4+A+F, MobileNetV2": {"miou": 23.45},
}
