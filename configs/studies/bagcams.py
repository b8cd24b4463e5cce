"""BagCAMs on eight birds of CUB-200-2011: what regional classifiers add to a network that is not trained again.

Zhu et al. (ECCV 2022) report MaxBoxAccV2 69.9 -> 84.9 on CUB. One network per seed, every method reads it: the last
stage (7x7), features.13 (14x14) and features.6 (28x28) of a MobileNetV2. Beside BagCAMs stand its parts: plain in the
place of guided gradients, the same products without the mean of the bag (element-wise), and a network whose classifier
has learnt nothing. Needs cub_birds and the weights below CAMFORGE_DATA.
"""

name = "bagcams"
about = "Does BagCAMs find more of a bird than the maps of the same network, and which of its parts does it?"
cost = "5 minutes on 2 cores"
seed = 0
dataset = dict(name="cub", root="$CAMFORGE_DATA/cub_birds")
images = dict(size=224, fit="squash", train_size=256)

_backbone = dict(
    name="torchvision", arch="mobilenet_v2", weights="$CAMFORGE_DATA/weights/mobilenet_v2_imagenet_fp16.pt"
)
_recipe = dict(
    name="single",
    backbone=_backbone,
    loss="softmax",
    batch_size=16,
    lr=3e-4,
    head_lr=3e-3,
    optimizer="adamw",
    flip=True,
)
_layers = {"7x7": "features.18", "14x14": "features.13", "28x28": "features.6"}


def _arms(title, note="", **options):
    return {
        f"{title}, {size}": dict(extractor=dict(options, layers=[layer]), note=note) for size, layer in _layers.items()
    }


trainer = dict(_recipe, epochs=8, schedule="onecycle")
extractor = dict(name="cam")
arms = {
    "CAM": dict(),
    **_arms("Grad-CAM", name="gradcam"),
    **_arms("Layer-CAM", name="layercam"),
    **_arms("element-wise", name="elementwise", note="control: the products without the mean of the bag"),
    **_arms("BagCAMs plain", name="bagcams", relu="plain", note="control: gradients that are not guided"),
    **_arms("BagCAMs", name="bagcams"),
    **{
        f"BagCAMs untrained, {size}": dict(
            trainer=dict(_recipe, epochs=1, lr=1e-9, head_lr=1e-9, schedule="constant"),
            extractor=dict(name="bagcams", layers=[layer]),
            note="control: ImageNet's features under a classifier that has learnt nothing",
        )
        for size, layer in _layers.items()
    },
}
metrics = [dict(name="maxboxacc"), dict(name="localization")]
measure_on = ["val", "train"]
report = dict(images=24)
