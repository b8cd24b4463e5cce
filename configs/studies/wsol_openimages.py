"""The same on OpenImages with its masks: PxAP (published: CAM 59.1 to 65.4 by source, Gaussian 45.8, few-shot 68.7)."""

_base_ = "wsol_ilsvrc.py"

name = "wsol_openimages"
about = "PxAP on OpenImages: CAM, HaS, ACoL, SPG, ADL, CutMix and BagCAMs, their settings chosen on train-fullsup."
cost = "days on a GPU, not measured"
dataset = dict(name="wsol", root="$CAMFORGE_DATA/OpenImages", metadata="$CAMFORGE_DATA/metadata/OpenImages", names=None)
metrics = [dict(name="pxap")]
