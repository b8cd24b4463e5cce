"""Weakly supervised localization as Choe et al. 2020 evaluate it: CUB-200-2011, ResNet-50 with maps of 28x28.

Networks train on train-weaksup; the numbers here are those of train-fullsup (wsolevaluation's ``val``), on which each
method's settings are chosen. ``camforge.analysis.held_out`` then measures the chosen ones on the test split, once. Arms
are named METHOD | SETTING. The centred Gaussian stands in every table (published: 59.7); the few-shot baseline
(published: 92.0) learns from other images, those of train-fullsup: ``wsol_cub_few_shot.py``. Differs from the authors:
of the classifier alone, not of layer4 too, the rate is ten times as high; ACoL's two maps are divided by their maxima.
"""

name = "wsol_cub"
about = "MaxBoxAccV2 on CUB: CAM, HaS, ACoL, SPG, ADL, CutMix and BagCAMs, their settings chosen on train-fullsup."
cost = "days on a GPU, not measured"
dataset = dict(name="wsol", root="$CAMFORGE_DATA/CUB", metadata="$CAMFORGE_DATA/metadata/CUB")
images = dict(size=224, fit="squash", train_size=256)

_large = dict(name="wsol_resnet", arch="resnet50", weights="IMAGENET1K_V1")
_epochs, _decay = 50, 15
_rates = {"lr 1e-3": 1e-3, "lr 1e-2": 1e-2}


def _trained(name, rate, **options):
    return dict(
        name=name, backbone=_large, loss="softmax", epochs=_epochs, batch_size=32, lr=rate, head_lr=10 * rate,
        optimizer="sgd", weight_decay=1e-4, schedule=[dict(type="StepLR", step_size=_decay, gamma=0.1)], flip=True,
        **options,
    )  # fmt: skip


_both = [dict(name="max", axis="branch", normalise="max")]  # ACoL's two classifiers
_methods = {
    "CAM": dict(name="single"),
    "HaS": dict(name="has"),
    "ACoL": dict(name="acol"),
    "SPG": dict(name="spg", layers=["layer3.0", "layer3"], width=1024),
    "ADL": dict(name="adl", layers=["layer3.0", "layer4.0", "layer4"], threshold=0.9),
    "CutMix": dict(name="cutmix"),
}
extractor = dict(name="cam")
arms = {
    f"{title} | {setting}": dict(trainer=_trained(rate=rate, **method), fusers=_both if title == "ACoL" else [])
    for title, method in _methods.items()
    for setting, rate in _rates.items()
}
arms |= {
    f"BagCAMs | {setting}, {layer}": dict(
        trainer=_trained("single", rate), extractor=dict(name="bagcams", layers=[layer]), note="CAM's network"
    )
    for setting, rate in _rates.items()
    for layer in ("layer3", "layer4")
}
metrics = [dict(name="maxboxacc"), dict(name="localization")]
