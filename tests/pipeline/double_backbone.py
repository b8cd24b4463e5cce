"""A plugin for tests: the small network in float64.

In float32 the result depends on which kernel a batch size takes, and Adam makes the last digit of a small gradient as
large as a step. In float64 what is equal in exact arithmetic stays equal to many digits on any processor.
"""

from collections import OrderedDict

from torch import Tensor, nn

from camforge.api import Backbone, Network, hookimpl
from camforge_plugins.backbones.small import Small

DISTRIBUTION = "camforge-test-double"


class _AsDouble(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.double()


class SmallDouble(Small):
    """The small network in float64."""

    name = "small_double"

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        network = super().build(outputs, pretrained)
        body = nn.Sequential(OrderedDict([("as_double", _AsDouble()), *network.body.named_children()]))
        return Network(body.double(), network.stages, network.head)


@hookimpl
def camforge_backbones() -> list[type[Backbone]]:
    return [SmallDouble]
