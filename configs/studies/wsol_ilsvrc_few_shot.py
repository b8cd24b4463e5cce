"""The same on ILSVRC (published: 66.3)."""

_base_ = "wsol_cub_few_shot.py"

name = "wsol_ilsvrc_few_shot"
about = "MaxBoxAccV2 on ILSVRC of a network that learned from train-fullsup what objects are."
dataset = dict(root="$CAMFORGE_DATA/ILSVRC", metadata="$CAMFORGE_DATA/metadata/ILSVRC", names="imagenet")
