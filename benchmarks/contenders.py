"""Who is measured: CamForge and its peers, as their users run them, on one model and the same images and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from camforge import build
from camforge.capture import extract_maps

Run = Callable[[], Any]
STAGES = ["layer1", "layer2", "layer3", "layer4"]
ON_STAGES = (
    "gradcam", "gradcampp", "xgradcam", "hirescam", "elementwise", "layercam", "eigengradcam", "shapleycam",
    "ltgradcam", "ltlayercam",
)  # fmt: skip
TWELVE: list[dict[str, Any]] = [
    *({"name": name, "layers": "stages"} for name in ON_STAGES),
    {"name": "finercam", "base": {"name": "gradcam", "layers": "stages"}},
    {"name": "refinecam"},
]


@dataclass(frozen=True)
class Bench:
    """ResNet-50 with random weights, N square images, one target each, and twenty targets each."""

    model: nn.Module
    images: Tensor
    targets: list[int]
    twenty: Tensor

    @staticmethod
    def of(count: int, size: int = 224) -> Bench:
        torch.manual_seed(0)
        model, images = torchvision.models.resnet50().eval(), torch.randn(count, 3, size, size)
        twenty = torch.stack([torch.randperm(1000)[:20] for _ in range(count)])
        return Bench(model, images, twenty[:, 0].tolist(), twenty)

    def forward(self, channels_last: bool) -> Run:
        """A bare forward in inference mode."""
        layout = torch.channels_last if channels_last else torch.contiguous_format
        images = self.images.contiguous(memory_format=layout)

        def run() -> Tensor:
            with torch.inference_mode():
                return self.model(images)

        return run

    def camforge(self, *specs: str | dict[str, Any], targets: Any = None) -> Run:
        """Raw maps at the layers' own size."""
        extractors = [build("extractor", spec) for spec in specs]
        chosen = self.targets if targets is None else targets
        return lambda: extract_maps(self.model, self.images, extractors, chosen).maps

    def torchcam(self, method: str, layers: Any, **options: Any) -> Run:
        """Raw maps at the layers' own size."""
        from torchcam import methods

        def run() -> list[Tensor]:
            extractor = getattr(methods, method)(self.model, layers, **options)
            with extractor, torch.set_grad_enabled(method != "CAM"):
                return extractor(self.targets, self.model(self.images), normalized=False)

        return run

    def torchcam_twenty(self) -> Run:
        """One forward, a backward for each of twenty targets."""
        from torchcam.methods import GradCAM

        def run() -> list[Any]:
            with GradCAM(self.model, "layer4") as extractor:
                logits = self.model(self.images)
                return [extractor(column, logits, retain_graph=True) for column in self.twenty.T.tolist()]

        return run

    def grad_cam(self, method: str, layers: Sequence[str] = ("layer4",)) -> Run:
        """Maps scaled to [0, 1] and upsampled: pytorch-grad-cam gives no others."""
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        modules = [self.model.get_submodule(name) for name in layers]
        targets = [ClassifierOutputTarget(target) for target in self.targets]

        def run() -> Any:
            with getattr(pytorch_grad_cam, method)(self.model, modules) as extractor:
                extractor.batch_size = 32
                return extractor(self.images, targets)

        return run

    def captum(self) -> Run:
        """Raw maps at the layer's own size."""
        from captum.attr import LayerGradCam

        explainer = LayerGradCam(self.model, self.model.get_submodule("layer4"))
        return lambda: explainer.attribute(self.images, target=self.targets, relu_attributions=True)


@dataclass(frozen=True)
class Row:
    """One table: a title, who takes part (ratios are to the first), how many rounds, and the goal.

    cold  contenders that take minutes, run no oftener than they are measured
    """

    title: str
    contenders: dict[str, Run]
    rounds: int
    goal: str
    cold: tuple[str, ...] = ()


def rows(eight: Bench, rounds: int, dear: int) -> Iterator[Row]:
    """All tables. "forward" is a bare forward in CamForge's memory format, "plain forward" one in the peers'."""
    yield from _eight_images(eight, rounds)
    together = {"forward": eight.forward(True), "CamForge, together": eight.camforge(*TWELVE)}
    alone = {f"alone: {spec['name']}": eight.camforge(spec) for spec in TWELVE}
    title = "Twelve gradient extractors, all stages"
    yield Row(title, together | alone, dear, "together at most 1.5 times the dearest alone")
    peer = "pytorch-grad-cam"
    both = {"CamForge": eight.camforge("fullgrad"), peer: eight.grad_cam("FullGrad", ())}
    goal = f"{peer} at least 20 times as long"
    yield Row(f"FullGrad beside {peer}", both, 1, goal, cold=(peer,))
    for method, own, times in (("AblationCAM", "ablationcam", "3"), ("ScoreCAM", "scorecam", "1.5")):
        one = Bench.of(1, 112 if method == "AblationCAM" else 224)  # of a small image every forward costs the same
        both = {"CamForge": one.camforge(own), peer: one.grad_cam(method)}
        goal = f"{peer} at least {times} times as long"
        yield Row(f"{method}, one image of {one.images.shape[-1]} pixels, last stage", both, 1, goal, cold=tuple(both))
    for count in (1, len(eight.images)):
        goal = f"{peer} at least 100 times as long"
        yield Row(f"Eigen-CAM's own step, images: {count}", _eigen_steps(count), 3 * rounds, goal)


def _eight_images(eight: Bench, rounds: int) -> Iterator[Row]:
    base = {"forward": eight.forward(True), "plain forward": eight.forward(False)}
    last_stage = {
        "CamForge CAM": eight.camforge("cam"),
        "CamForge Grad-CAM": eight.camforge("gradcam"),
        "torch-cam CAM": eight.torchcam("CAM", "layer4", fc_layer="fc"),
        "torch-cam Grad-CAM": eight.torchcam("GradCAM", "layer4"),
        "pytorch-grad-cam Grad-CAM": eight.grad_cam("GradCAM"),
        "Captum Grad-CAM": eight.captum(),
    }
    goal = "at most 1.10 forwards; torch-cam at least 1.3, pytorch-grad-cam at least 3 times as long"
    yield Row("Last stage, one target each", base | last_stage, rounds, goal)
    twenty = {"CamForge": eight.camforge("gradcam", targets=eight.twenty), "torch-cam": eight.torchcam_twenty()}
    yield Row("Grad-CAM of twenty classes of each image", base | twenty, rounds, "at most 1.15 forwards")
    stages = {
        "CamForge": eight.camforge({"name": "layercam", "layers": "stages"}),
        "torch-cam": eight.torchcam("LayerCAM", STAGES),
        "pytorch-grad-cam": eight.grad_cam("LayerCAM", STAGES),
    }
    yield Row("Layer-CAM, all stages", base | stages, rounds, "at most 2.0 forwards")
    yield Row("FullGrad", base | {"CamForge": eight.camforge("fullgrad")}, rounds, "at most 4 forwards")


def _eigen_steps(count: int) -> dict[str, Run]:
    from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection

    from camforge_plugins.extractors.components import first_component

    activation = torch.randn(count, 2048, 7, 7).relu()
    array = activation.numpy()
    ours = lambda: first_component(activation, center=True)  # noqa: E731
    return {"CamForge": ours, "pytorch-grad-cam": lambda: get_2d_projection(array)}
