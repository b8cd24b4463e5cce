"""Meng et al., representative class selection, Table 1.

Its rows Grad-CAM and All, from every pair of five animals, 10 networks.
People are left out: no image here shows a person alone, and the similarity asks for such images.
"""

name = "002_table1_small_animals"
cost = "5 minutes on 2 cores"
dataset = dict(name="voc", root="$CAMFORGE_DATA/voc_animals", classes=["cat", "cow", "dog", "horse", "sheep"])
images = dict(size=160, fit="crop")

_mobilenet = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(backbone=_mobilenet, epochs=4, lr=1e-4, batch_size=20)
_single = dict(name="single", loss="softmax", **_recipe)
_pair = dict(name="binary_pair", backbone=_mobilenet, lr=1e-4, batch_size=24, epochs=4)
_everything = dict(name="false_positive_clusters", select="random", clusters=4)  # all others of each class
_alone = dict(name="none", exclusive=True)  # images with a single label

extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": dict(grouper=_alone, trainer=_single),
    "All": dict(grouper=_everything, trainer=_pair, fusers=[dict(name="mean", axis="view")]),
}
metrics = [dict(name="miou")]

paper = {  # the paper's numbers on VOC val
    "All": {"miou": 35.22},
    "Grad-CAM": {"miou": 27.24},
}
