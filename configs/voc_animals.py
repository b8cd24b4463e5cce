"""Six animals of PASCAL VOC 2012: a MobileNetV2 fine-tuned from image labels, then the arms of Table 4.

Needs $CAMFORGE_DATA/voc_animals, PASCAL VOC in its published layout, and ImageNet weights of MobileNetV2 beside it.
About half an hour on two CPU cores; smaller with
``--set trainer.epochs=2``.
"""

name = "voc_animals"
about = (
    "Photographs of cats, cows, dogs, horses, sheep and people: how much of the animal does a map cover that was "
    "learned from image labels alone, and do grouping and orthogonal branches help?"
)
cost = "30 minutes on 2 cores"
seed = 0
dataset = dict(
    name="voc",
    root="$CAMFORGE_DATA/voc_animals",
    classes=["cat", "cow", "dog", "horse", "sheep", "person"],
)
images = dict(size=224, fit="crop")

_recipe = dict(
    backbone=dict(
        name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
    ),
    epochs=4,
    lr=1e-4,
    batch_size=20,
)
_single = dict(name="single", **_recipe)
_orthogonal = dict(name="two_branch_orthogonal", **_recipe)
_independent = dict(name="two_branch_orthogonal", weight=0.0, **_recipe)
_kmeans = dict(name="kmeans_hierarchy", sizes=[4, 2], trainer=_single)
_branches = dict(name="mean", axis="branch", normalise="max")
_levels = dict(name="hierarchy", rest="image", reduce="max")

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "baseline": dict(note="Grad-CAM on one network"),
    "orthogonal": dict(trainer=_orthogonal, fusers=[_branches], note="two branches under the orthogonal constraint"),
    "grouping": dict(grouper=_kmeans, fusers=[_levels], note="levels 6, 4 and 2 by K-means of the network's rows"),
    "both": dict(
        grouper=_kmeans, trainer=_orthogonal, fusers=[_branches, _levels], note="grouping and branches together"
    ),
    "random groups": dict(
        grouper=dict(name="random_hierarchy", sizes=[4, 2]), fusers=[_levels], note="control: groups drawn at random"
    ),
    "two independent": dict(trainer=_independent, fusers=[_branches], note="control: two networks, no constraint"),
    "layercam, all stages": dict(
        extractor=dict(name="layercam", layers="stages"),
        fusers=[dict(name="sum", axis="layer")],
        note="one network, Layer-CAM of every stage, summed",
    ),
}
metrics = [dict(name="miou"), dict(name="mlev")]
report = dict(images=40)
