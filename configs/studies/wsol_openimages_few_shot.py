"""The same on OpenImages with its masks (published: 68.7)."""

_base_ = "wsol_cub_few_shot.py"

name = "wsol_openimages_few_shot"
about = "PxAP on OpenImages of a network that learned from train-fullsup what objects are."
dataset = dict(root="$CAMFORGE_DATA/OpenImages", metadata="$CAMFORGE_DATA/metadata/OpenImages", names=None)
metrics = [dict(name="pxap")]
