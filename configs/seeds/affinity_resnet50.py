"""AffinityNet (Ahn & Kwak, CVPR 2018) on PASCAL VOC 2012: class activation maps, and a walk along learned affinities.

Where the maps of a ResNet-50 are sure, two 1x1 convolutions on its features learn which places belong together; the
maps walk along these affinities. The paper has a ResNet-38 at stride 8, trains the whole of it, and
refines the seeds by a dense CRF, so that its number is none of this. Data, the classifier's training and the measure
are those of ``cam_resnet50.py``.
"""

_base_ = "cam_resnet50.py"

name = "seeds_affinity_resnet50"
about = "Class activation maps of a ResNet-50 carried along affinities that it learned from them."

_single = _base_.trainer
_cam = _base_.arms["CAM"]["extractor"]
_affinity = dict(
    name="affinity", backbone=_single["backbone"], layers=["layer2", "layer3", "layer4"], epochs=3, batch_size=16,
    lr=0.01, optimizer="adamw", weight_decay=1e-3, schedule="onecycle", flip=True, foreground=0.4, background=0.1,
    seeds=dict(trainer=_single, extractor=_cam),
)  # fmt: skip
_walk = dict(_cam, name="affinitywalk", base="cam")

arms = dict(
    _delete_=True,
    **{
        "the seeds": dict(extractor=_cam),
        "AffinityNet": dict(trainer=_affinity, extractor=_walk),
        "AffinityNet, refined": dict(trainer=_affinity, extractor=_walk, fusers=[dict(name="pamr")]),
    },
)
paper = dict(_delete_=True)
