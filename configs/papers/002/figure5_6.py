"""Meng et al., representative class selection, Figures 5 and 6.

The maps of every pair and of every layer, and their fusion.
"""

name = "002_figure5_6"
cost = "days on a GPU, not measured"
dataset = dict(
    name="voc", root="$CAMFORGE_DATA/VOCdevkit", train="Segmentation/train_aug", masks="SegmentationClassAug"
)
images = dict(size=224, fit="crop")

_alone = dict(name="none", exclusive=True)  # one network for all classes: softmax on images with a single label
_whole = dict(epochs=200, batch_size=24, lr=1e-4, optimizer="adam", schedule="plateau")
_vgg19 = dict(name="torchvision", arch="vgg19", weights="IMAGENET1K_V1")
_clusters = dict(
    name="false_positive_clusters",
    clusters=4,
    min_size=4,
    trainer=dict(name="single", loss="softmax", backbone=_vgg19, **_whole),
)
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_stages = dict(name="gradcam", layers="stages")
_resnet101 = dict(name="torchvision", arch="resnet101", weights="IMAGENET1K_V1")
_single = dict(name="single", loss="softmax", backbone=_resnet101, **_whole)
_pair = dict(name="binary_pair", lr=1e-4, schedule="constant", batch_size=24, epochs=10, backbone=_resnet101)

extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": dict(grouper=_alone, trainer=_single, note="one network for all classes"),
    "representatives": dict(
        grouper=_clusters, trainer=_pair, extractor=_stages, fusers=[_a, _f], note="the page shows every pair's map too"
    ),
    "layers": dict(
        grouper=_alone, trainer=_single, extractor=_stages, fusers=[_a], note="the page shows every stage's map too"
    ),
}
metrics = [dict(name="miou")]
report = dict(images=60)
