"""The few-shot baseline of ``wsol_openimages.py``: train-fullsup teaches a saliency network (published: 68.7).

Trained and measured on train-fullsup, so that its numbers here are those of what it has seen: only
``camforge.analysis.held_out(…, {"val": "test"})`` counts. One setting; the authors keep a fifth of train-fullsup aside
to choose theirs.
"""

_base_ = "wsol_openimages.py"

name = "wsol_openimages_few_shot"
about = "PxAP on OpenImages of a network that learned from train-fullsup what objects are."
cost = "an hour on a GPU, not measured"
dataset = dict(train="val")  # train-fullsup
arms = dict(
    _delete_=True,
    **{
        "few-shot": dict(
            trainer=dict(
                name="saliency", backbone=dict(name="wsol_resnet", arch="resnet50", weights="IMAGENET1K_V1"), epochs=30,
                batch_size=32, lr=1e-3, optimizer="sgd", weight_decay=1e-4, schedule="poly", flip=True,
            ),
            extractor=dict(name="pixels", layer="saliency"),
        ),
    },
)  # fmt: skip
metrics = [dict(name="pxap")]
