"""Meng et al., representative class selection, Table 5.

Other methods, on five animals of PASCAL VOC.
People are left out: no image here shows a person alone, and the similarity asks for such images.
"""

name = "002_table5_small_animals"
cost = "7 minutes on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
_single = dict(name="single", **_recipe)
_softmax = dict(_single, loss="softmax")
_alone = dict(name="none", exclusive=True)  # one network for all classes: softmax on images with a single label
_clusters = dict(name="false_positive_clusters", clusters=3, min_size=1, trainer=_softmax)
_f = dict(name="mean", axis="view")
_a = dict(name="product_with_last")
_stages = dict(name="gradcam", layers="stages")
_pair = dict(name="binary_pair", backbone=_mobilenet, lr=1e-4, batch_size=24, epochs=4)
_acol = dict(name="acol", loss="softmax", width=256, **_recipe)

trainer = _softmax
extractor = dict(name="gradcam")
arms = {
    "CAM": dict(grouper=_alone, extractor=dict(name="cam")),
    "Grad-CAM": dict(grouper=_alone),
    "ACoL": dict(
        grouper=_alone, trainer=_acol, extractor=dict(name="cam"),
        fusers=[dict(name="max", axis="branch", normalise="max")],
    ),
    "ours without fusion": dict(grouper=_clusters, trainer=_pair, fusers=[_f]),
    "ours": dict(grouper=_clusters, trainer=_pair, extractor=_stages, fusers=[_a, _f]),
}  # fmt: skip
metrics = [dict(name="miou")]
measure_on = ["val", "train"]

paper = {  # the paper's numbers on VOC's splits
    "CAM": {"miou": 24.54, "miou@train": 26.86},
    "Grad-CAM": {"miou": 27.94, "miou@train": 27.94},
    "ACoL": {"miou": 19.42, "miou@train": 19.41},
    "ours without fusion": {"miou": 27.25, "miou@train": 29.39},
    "ours": {"miou": 33.43, "miou@train": 34.43},
}
