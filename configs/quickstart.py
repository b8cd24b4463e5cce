"""The four arms of "Hierarchical class grouping with orthogonal constraint" (2020), Table 4, on PartWorld.

Beside them the controls that keep a claim honest: groups that are known to be right, groups drawn at random, a second
independent network, and Layer-CAM over all stages. About four minutes on two CPU cores.
"""

name = "quickstart"
about = (
    "Does grouping classes, or training two orthogonal branches, make a class activation map cover the whole object? "
    "PartWorld's objects are told apart by a small head; the body is shared by their family."
)
cost = "3 minutes on 2 cores"
seed = 0
dataset = dict(name="partworld", train=2000)
images = dict(size=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))

_recipe = dict(
    backbone=dict(name="small"),
    optimizer="adamw",
    lr=0.01,
    head_lr=0.05,
    weight_decay=1e-3,
    schedule="onecycle",
    epochs=4,
    batch_size=32,
)
_single = dict(name="single", **_recipe)
_orthogonal = dict(name="two_branch_orthogonal", features="maps", **_recipe)
_independent = dict(name="two_branch_orthogonal", weight=0.0, **_recipe)
# The network whose rows are clustered by their direction. Rows of either optimiser find the families on three seeds;
# raw rows after SGD miss a class on one of them (configs/studies/README.md).
_rows = dict(
    name="single",
    backbone=dict(name="small", widths=[16, 32, 64, 64], strides=[2, 2, 1, 1], blocks=["residual"] * 4),
    optimizer="sgd",
    lr=0.3,
    weight_decay=5e-4,
    schedule="onecycle",
    epochs=5,
    batch_size=32,
)
_kmeans = dict(name="kmeans_hierarchy", sizes=[4], normalize="l2", trainer=_rows)
_branches = dict(name="mean", axis="branch", normalise="max")
_levels = dict(name="hierarchy", rest="image", reduce="max")

trainer = _single
extractor = dict(name="gradcam")
arms = {
    "baseline": dict(note="Grad-CAM on one network for all twelve classes"),
    "orthogonal": dict(trainer=_orthogonal, fusers=[_branches], note="two branches under the orthogonal constraint"),
    "grouping": dict(
        grouper=_kmeans,
        fusers=[_levels],
        note="levels 12 and 4, by K-means of a network's rows",
    ),
    "both": dict(
        grouper=_kmeans,
        trainer=_orthogonal,
        fusers=[_branches, _levels],
        note="grouping and orthogonal branches together",
    ),
    "families given": dict(grouper=dict(name="given"), fusers=[_levels], note="grouping by the known super-classes"),
    "random groups": dict(
        grouper=dict(name="random_hierarchy", sizes=[4]), fusers=[_levels], note="control: groups drawn at random"
    ),
    "two independent": dict(
        trainer=_independent, fusers=[_branches], note="control: two networks, no constraint, averaged"
    ),
    "layercam, all stages": dict(
        extractor=dict(name="layercam", layers="stages"),
        fusers=[dict(name="sum", axis="layer")],
        note="no grouping, one network: Layer-CAM of every stage, summed",
    ),
}
metrics = [dict(name="miou"), dict(name="mlev"), dict(name="coverage")]
report = dict(images=40)
