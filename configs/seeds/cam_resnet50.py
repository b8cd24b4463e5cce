"""Class activation maps of a ResNet-50 on PASCAL VOC 2012, as the baseline of IRN (Ahn et al., CVPR 2019) has them.

Trained on the 10,582 images of trainaug at stride 16, crops of 512, SGD; four scales and mirrored; measured on the
1,464 of train: the highest map has the pixel where it reaches the background score that is best, background included.
"""

name = "seeds_cam_resnet50"
about = "Plain class activation maps of a ResNet-50 at stride 16, as published pipelines begin."
cost = "hours on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", val="Segmentation/train",
    masks="SegmentationClassAug",
)  # fmt: skip
images = dict(size=512, fit="crop", train_size=640)
batch_size = 4

_resnet = dict(name="torchvision", arch="resnet50", weights="IMAGENET1K_V1", output_stride=16)
_single = dict(
    name="single", backbone=_resnet, epochs=5, batch_size=16, lr=0.1, head_lr=1.0, optimizer="sgd", weight_decay=1e-4,
    schedule="poly", flip=True,
)  # fmt: skip
_seen = dict(scales=[0.5, 1.0, 1.5, 2.0], flip=True)

trainer = _single
arms = {
    "CAM, one scale": dict(extractor=dict(name="cam")),
    "CAM": dict(extractor=dict(name="cam", **_seen)),
    "CAM, refined": dict(extractor=dict(name="cam", **_seen), fusers=[dict(name="pamr")]),
}
metrics = [
    dict(name="threshold_sweep", protocol="argmax", with_background=True),
    dict(name="miou", protocol="argmax", with_background=True),
]
report = dict(images=100)

paper = {"CAM": {"best_miou": 48.3}}  # IRN's Table 2
