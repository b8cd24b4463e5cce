"""The composition that covered six animals best in the champion search, beside the methods of the papers.

One network per level of classes (6, 4 and 2 outputs), Layer-CAM of three layers over two scales and mirrored, each map
divided by its maximum and summed, the levels joined, the map refined along the photograph; the threshold is chosen
on the training images. On the validation photographs: 47.1 mIoU, Grad-CAM 28.9 (studies/README.md).
"""

name = "champion"
about = "Groups, Layer-CAM of three layers, two scales, mirrored, refined: the best that training images found."
cost = "45 minutes on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep", "person"])
images = dict(size=224, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_single = dict(name="single", backbone=_mobilenet, epochs=6, lr=1e-4, batch_size=20)
_groups = dict(name="kmeans_hierarchy", sizes=[4, 2], trainer=_single)
_levels = dict(name="hierarchy", rest="image", reduce="max")
_sum = dict(name="sum", axis="layer", normalise="max")
_refined = dict(name="pamr")
_seen = dict(name="layercam", layers=["features.6", "features.13", "features.18"], scales=[1.0, 1.5], flip=True)

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "champion": dict(grouper=_groups, extractor=_seen, fusers=[_sum, _levels, _refined]),
    "champion without groups": dict(extractor=_seen, fusers=[_sum, _refined]),
    "champion without groups, unrefined": dict(extractor=_seen, fusers=[_sum]),
    "Grad-CAM": dict(note="the baseline of 000, 001 and 002"),
    "001: grouping, Grad-CAM": dict(grouper=_groups, fusers=[_levels]),
    "002: Grad-CAM of all stages, product": dict(
        extractor=dict(name="gradcam", layers="stages"), fusers=[dict(name="product_with_last")]
    ),
    "003: LTGrad-CAM (delta = 0)": dict(extractor=dict(name="gradcam", truncate=0)),
    "003: Layer-CAM, all stages": dict(extractor=dict(name="layercam", layers="stages", merge="sum")),
    "004: CCAM, quadratic": dict(extractor=dict(name="ccam", eta=2.0)),
}
metrics = [dict(name="threshold_sweep", choose="train"), dict(name="miou"), dict(name="mlev")]
report = dict(images=40)
