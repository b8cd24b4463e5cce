"""The champion's recipe on PASCAL VOC 2012: ``../champion.py`` with a ResNet-50 and twenty classes. Not published.

Data, the classifier's training and the measure are those of ``cam_resnet50.py``.
"""

_base_ = "cam_resnet50.py"

name = "seeds_places_resnet50"
about = "Semantic information maps shared among classes, refined, and a classifier of places learned from them."

_single = _base_.trainer
_fusers = [dict(name="share", sharpness=0.8), dict(name="pamr")]


def _beside(*extractors):
    return dict(name="beside", extractors=list(extractors), scales=[1.0, 1.5])


def _sim(inside=""):
    return dict(name="sim", layers=[f"{inside}layer2", f"{inside}layer3"])


_first = dict(extractor=_beside(_sim(), dict(name="cam")), fusers=_fusers)
_pixels = dict(
    name="pixels", backbone=_single["backbone"], layers=["layer2", "layer3", "layer4"], epochs=2, batch_size=16,
    lr=0.01, optimizer="adamw", weight_decay=1e-3, schedule="onecycle", flip=True,
    seeds=dict(trainer=_single, **_first),
)  # fmt: skip

arms = dict(
    _delete_=True,
    **{
        "the seeds": _first,
        "places": dict(
            trainer=_pixels,
            extractor=_beside(dict(name="pixels"), _sim("classifier."), dict(name="cam")),
            fusers=_fusers,
        ),
    },
)
paper = dict(_delete_=True)
