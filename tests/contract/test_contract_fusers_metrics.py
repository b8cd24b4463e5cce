"""Every built-in fuser and metric passes the contract that plugin authors run."""

from camforge.host.registry import build, registry
from camforge.testing import FuserContract, MetricContract

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
        *(build("metric", name) for name in registry().plugins["metric"]),
        *(
            build("metric", {"name": "miou", option: True})
            for option in ("per_image", "with_background", "drop_invisible")
        ),
        build("metric", {"name": "miou", "protocol": "argmax"}),
        build("metric", {"name": "mlev", "component": "every", "reading": "image"}),
        *(build("metric", {"name": "coverage", "threshold": rule}) for rule in ("otsu", "twice_mean")),
    )
