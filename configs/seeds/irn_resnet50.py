"""IRN (Ahn, Cho and Kwak, CVPR 2019) on PASCAL VOC 2012: class activation maps, and a walk between learned boundaries.

Where the maps of a ResNet-50 are sure, two branches on its features learn boundaries and displacements; the maps walk
where no boundary is. Stride 16, features from stride 4 on, three epochs of SGD as the authors have them; the
classifier's training and the measure are those of ``cam_resnet50.py``. It differs from the authors': seeds without the
dense CRF that sharpens them, maps that walk at every scale by themselves, one rate for both branches.
"""

_base_ = "cam_resnet50.py"

name = "seeds_irn_resnet50"
about = "Class activation maps of a ResNet-50 carried between boundaries that it learned from them."

_single = _base_.trainer
_cam = _base_.arms["CAM"]["extractor"]
_irn = dict(
    name="irn", backbone=_single["backbone"], layers=["maxpool", "layer1", "layer2", "layer3", "layer4"], epochs=3,
    batch_size=32, lr=0.1, optimizer="sgd", weight_decay=1e-4, schedule="poly", flip=True,
    seeds=dict(trainer=_single, extractor=_cam),
)  # fmt: skip

arms = dict(
    _delete_=True,
    **{
        "the seeds": dict(extractor=_cam),
        "IRN": dict(trainer=_irn, extractor=dict(_cam, name="boundarywalk", base="cam")),
    },
)
paper = dict(_delete_=True, IRN={"best_miou": 66.5})  # IRN's Table 2; users of its code report 64.9
