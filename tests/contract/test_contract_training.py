"""Every built-in grouper, trainer and backbone passes the contract that plugin authors run."""

from pathlib import Path

from camforge.host.registry import build, registry
from camforge.testing import BackboneContract, ExampleGroupingContext, GrouperContract, TrainerContract

SIZES = [4, 2]
SEEDS = {"trainer": {"name": "single", "backbone": "small"}, "extractor": {"name": "layercam"}}
TINY_RESNET = Path(__file__).parents[1] / "backbones" / "tiny-resnet"
CLASSES = list(ExampleGroupingContext().classes)


class TestGroupers(GrouperContract):
    cases = (
        build("grouper", "none"),
        build("grouper", "given"),
        build("grouper", {"name": "given", "groups": [{"pets": CLASSES[:2], "rest": CLASSES[2:]}]}),
        build("grouper", {"name": "kmeans_hierarchy", "sizes": SIZES}),
        build("grouper", {"name": "kmeans_hierarchy", "sizes": SIZES, "retrain": False, "normalize": "l2"}),
        build("grouper", {"name": "random_hierarchy", "sizes": SIZES}),
        build("grouper", {"name": "random_hierarchy", "like": "given"}),
        *(
            build("grouper", {"name": "false_positive_clusters", "clusters": 2, "min_size": 2, "select": select})
            for select in ("s_k", "random")
        ),
    )  # fmt: skip


class TestTrainers(TrainerContract):
    cases = (
        *(
            build("trainer", {"name": n, "backbone": "small"})
            for n in registry().plugins["trainer"]
            if n not in ("acol", "affinity", "irn", "lpcam", "pixels", "saliency")
        ),
        build("trainer", {"name": "acol", "backbone": "small", "width": 8}),
        *(
            build("trainer", {"name": "pixels", "backbone": "small", "seeds": SEEDS, "freeze": f})
            for f in (True, False)
        ),
        build("trainer", {"name": "affinity", "backbone": "small", "seeds": SEEDS}),
        build("trainer", {"name": "lpcam", "backbone": "small", "seeds": SEEDS, "clusters": 3}),
        build("trainer", {"name": "saliency", "backbone": "small"}),
        build("trainer", {"name": "irn", "backbone": "small", "seeds": SEEDS, "hidden": 8}),
        build("trainer", {"name": "single", "backbone": "small", "loss": "softmax"}),
        build(
            "trainer",
            {"name": "two_branch_orthogonal", "backbone": "small", "features": "pooled", "reduction": "batch_mean"},
        ),
    )


class TestBackbones(BackboneContract):
    cases = (
        build("backbone", "small"),
        build("backbone", {"name": "small", "widths": [8, 8], "strides": [2, 1], "blocks": ["plain", "residual"]}),
        build("backbone", {"name": "torchvision", "arch": "squeezenet1_1"}),
        build("backbone", {"name": "torchvision", "arch": "mobilenet_v2"}),
        build("backbone", {"name": "timm", "arch": "resnet10t"}),
        build("backbone", {"name": "transformers", "arch": str(TINY_RESNET), "weights": None}),
        build("backbone", {"name": "cbam", "arch": "resnet18"}),
        build("backbone", {"name": "vgg_gap", "non_local": ["conv5_3"]}),
        build("backbone", {"name": "wsol_resnet", "arch": "resnet18"}),
        build("backbone", "alexnet_gap"),
    )
