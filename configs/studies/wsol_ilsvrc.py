"""The same on ILSVRC (published: CAM 63.5 to 68.2 by source, centred Gaussian 52.5, few-shot 66.3)."""

_base_ = "wsol_cub.py"

name = "wsol_ilsvrc"
about = "MaxBoxAccV2 on ILSVRC: CAM, HaS, ACoL, SPG, ADL, CutMix and BagCAMs, their settings chosen on train-fullsup."
cost = "weeks on a GPU, not measured"
dataset = dict(name="wsol", root="$CAMFORGE_DATA/ILSVRC", metadata="$CAMFORGE_DATA/metadata/ILSVRC", names="imagenet")
_schedule = dict(epochs=10, schedule=[dict(type="StepLR", step_size=3, gamma=0.1)])
_names = [
    *(
        f"{title} | {rate}"
        for title in ("CAM", "HaS", "ACoL", "SPG", "ADL", "CutMix")
        for rate in ("lr 1e-3", "lr 1e-2")
    ),
    *(f"BagCAMs | {rate}, {layer}" for rate in ("lr 1e-3", "lr 1e-2") for layer in ("layer3", "layer4")),
]
arms = {arm: dict(trainer=_schedule) for arm in _names}
