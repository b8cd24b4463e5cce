"""Meng et al., representative class selection, Figures 5 and 6.

The maps of every pair and of every layer, and their fusion, on five animals of PASCAL VOC.
People are left out: no image here shows a person alone, and the similarity asks for such images.
"""

name = "002_figure5_6_small_animals"
cost = "5 minutes on 2 cores"
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

extractor = dict(name="gradcam")
arms = {
    "Grad-CAM": dict(grouper=_alone, trainer=_softmax, note="one network for all classes"),
    "representatives": dict(
        grouper=_clusters, trainer=_pair, extractor=_stages, fusers=[_a, _f], note="the page shows every pair's map too"
    ),
    "layers": dict(
        grouper=_alone, trainer=_softmax, extractor=_stages, fusers=[_a], note="the page shows every stage's map too"
    ),
}
metrics = [dict(name="miou")]
report = dict(images=60)
