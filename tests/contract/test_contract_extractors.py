"""Every built-in extractor passes the contract that plugin authors run."""

from collections.abc import Sequence
from functools import partial

import torch
import torchvision
from extractor_references import ATTENTION, REFERENCES
from torch import Tensor, nn

from camforge.api import Extractor
from camforge.host.registry import build, registry
from camforge.testing import ExtractorContract, ReferencePair, example_images

PLACES, NESTING = ("pixels", "affinitywalk", "boundarywalk", "lpcam"), ("beside",)
FEW = {"rise": {"samples": 20}, "drise": {"samples": 20}, "occlusion": {"patch": 6}}  # more masks tell no more
JUMPING = ("ltfullgrad", "ltgradcam", "ltlayercam", "random")
SEEDS = {"trainer": {"name": "single", "backbone": "small"}, "extractor": {"name": "layercam"}}
MORE = (
    {"name": "gradcam", "layers": "stages"},
    {"name": "gradcam", "layers": ["2", "5"], "merge": "sum"},
    {"name": "layercam", "layers": "stages", "merge": "tanh_max", "truncate": 0, "truncate_over": "layer"},
    {"name": "sim", "layers": "stages"},
    {"name": "featurewalk", "base": {"name": "sim", "layers": ["2", "5"]}, "features": ["5", "8"]},
    {"name": "bagcams", "layers": ["2", "5"], "relu": "plain"},
    {"name": "polycam", "variant": "minus", "local_norm": False},
    {"name": "reciprocam", "layers": ["5"], "gaussian": True, "output": "logit"},
    {"name": "guidedgradcam", "base": {"name": "layercam", "layers": ["5"]}, "channels": "sum"},
    {"name": "beside", "extractors": [{"name": "sim", "layers": ["2", "5"]}, {"name": "layercam"}]},
    {"name": "gradcam", "scales": [0.5, 1.0], "flip": True, "tta_merge": "max"},
)


class BuiltInContract(ExtractorContract):
    """Every built-in has a slow transcription."""

    def references(self, plugin: Extractor, pair: ReferencePair) -> Sequence[Tensor]:
        return REFERENCES[plugin.name](plugin, pair)


class TestBuiltIns(BuiltInContract):
    cases = (
        *(
            build("extractor", {"name": name, **FEW.get(name, {})})
            for name in registry().plugins["extractor"]
            if name not in ATTENTION + PLACES + NESTING + JUMPING
        ),
        *(build("extractor", spec) for spec in MORE),
    )


class TestJumping(BuiltInContract):
    """Percentiles and random numbers."""

    smooth = False
    cases = (*map(partial(build, "extractor"), JUMPING), build("extractor", {"name": "layercam", "truncate": 50}))


class TestOnTransformers(BuiltInContract):
    """Those that read attention."""

    cases = (
        *(build("extractor", name) for name in ATTENTION),
        build("extractor", {"name": "attnlrp", "gamma": 0}),
    )

    def images(self, count: int = 3) -> Tensor:
        return example_images(count, 32, 32)

    def network(self) -> nn.Module:
        torch.manual_seed(0)
        model = torchvision.models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=5
        )
        nn.init.normal_(model.heads[-1].weight)  # torchvision's is all zero
        return model.eval()


class TestOnPlaces(BuiltInContract):
    """Those that read a network which classifies places."""

    cases = (build("extractor", "pixels"),)
    trainer = "pixels"

    def network(self) -> nn.Module:
        torch.manual_seed(0)
        trainer = build("trainer", {"name": self.trainer, "backbone": "small", "seeds": SEEDS, "hidden": 8})
        return trainer.learner(5, pretrained=False).eval().networks[0]


class TestOnAffinities(TestOnPlaces):
    """Those that read a network which tells what places belong together."""

    cases = (
        build("extractor", {"name": "affinitywalk", "steps": 5, "power": 2}),
        build("extractor", {"name": "affinitywalk", "base": "gradcam", "radius": 2, "steps": 1}),
    )
    trainer = "affinity"


class TestBetweenBoundaries(TestOnPlaces):
    """Those that read a network which tells where boundaries are."""

    cases = (
        build("extractor", {"name": "boundarywalk", "radius": 4, "steps": 8, "power": 2}),
        build("extractor", {"name": "boundarywalk", "base": "gradcam", "radius": 2, "steps": 1}),
    )
    trainer = "irn"


class TestOnPrototypes(BuiltInContract):
    """Those that read a network with prototypes of classes."""

    cases = (build("extractor", "lpcam"),)

    def network(self) -> nn.Module:
        torch.manual_seed(0)
        spec = {"name": "lpcam", "backbone": "small", "seeds": SEEDS, "layer": "stage2", "clusters": 4, "sure": 0.4}
        learner = build("trainer", spec).learner(5, pretrained=False).train()
        seeds = torch.rand(6, 5, 8, 8) * torch.eye(5)[[0, 1, 2, 3, 4, 0], :, None, None]
        learner.losses(torch.randn(6, 3, 32, 32), seeds)
        learner.networks[0].body.prototypes.sums.normal_(0, 30)  # so that some centres are prototypes
        return learner.eval().networks[0]
