"""Every built-in fuser and metric passes the contract that plugin authors run."""

from camforge.host.registry import build, registry
from camforge.testing import FuserContract, MetricContract

QUICK = {
    "mprt": {"steps": 2}, "smooth_mprt": {"steps": 2, "samples": 2}, "road": {"shares": [0.2, 0.5]},
    "faithfulness_correlation": {"runs": 10}, "sensitivity_n": {"shares": [0.1, 0.5], "runs": 8},
    "monotonicity_correlation": {"samples": 2}, "irof": {"segments": 10}, "infidelity": {"squares": 10},
    "arcc": {"shares": [0.5]}, "pixel_flipping": {"steps": 5},
}  # fmt: skip
"""Metrics that ask the network often, less often."""
ANY_AXIS = ("sum", "mean", "max")


class TestFusers(FuserContract):
    cases = (
        *(build("fuser", {"name": name, "axis": axis}) for name in ANY_AXIS for axis in ("view", "branch", "layer")),
        *(build("fuser", {"name": name, "axis": "view", "normalise": "max"}) for name in ANY_AXIS),
        *(build("fuser", name) for name in registry().plugins["fuser"] if name not in ANY_AXIS),
        *(build("fuser", {"name": "hierarchy", "rest": rest}) for rest in ("same_cluster", "none")),
        *(build("fuser", {"name": "hierarchy", "reduce": how, "normalise": "none"}) for how in ("mean", "sum")),
    )


class TestMetrics(MetricContract):
    cases = (
        *(build("metric", {"name": name} | QUICK.get(name, {})) for name in registry().plugins["metric"]),
        *(
            build("metric", {"name": "miou", option: True})
            for option in ("per_image", "with_background", "drop_invisible")
        ),
        build("metric", {"name": "miou", "protocol": "argmax"}),
        build("metric", {"name": "mlev", "component": "every", "reading": "image"}),
        *(build("metric", {"name": "coverage", "threshold": rule}) for rule in ("otsu", "twice_mean")),
    )
