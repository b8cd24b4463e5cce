"""Region-CAM (arXiv 2510.25134) on PASCAL VOC 2012: semantic information maps of a ResNet-50's stages, and their walk.

Our walk (``featurewalk``) stands in the place of the paper's propagation, which is another one; data, training and
measure are those of ``cam_resnet50.py``. The number in print is for train.
"""

_base_ = "cam_resnet50.py"

name = "seeds_region_cam"
about = "Semantic information maps of a ResNet-50 at stride 16, walked along its features and refined."

_sim = dict(name="sim", layers=["layer2", "layer3"])
_seen = dict(scales=[0.5, 1.0, 1.5, 2.0], flip=True)

arms = dict(
    _delete_=True,
    **{
        "SIM": dict(extractor=dict(_sim, **_seen)),
        "Region-CAM": dict(
            extractor=dict(name="featurewalk", base=_sim, features=["layer2", "layer3"], **_seen),
            fusers=[dict(name="pamr")],
        ),
    },
)
paper = dict(_delete_=True, **{"Region-CAM": {"best_miou": 60.1}})
