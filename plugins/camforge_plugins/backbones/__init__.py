"""Built-in backbones."""

from camforge.api import Backbone, hookimpl
from camforge_plugins.backbones.alexnet_gap import AlexNetGap
from camforge_plugins.backbones.cbam import CBAM
from camforge_plugins.backbones.small import Small
from camforge_plugins.backbones.timm_models import Timm
from camforge_plugins.backbones.torchvision_models import Torchvision
from camforge_plugins.backbones.transformers_models import Transformers
from camforge_plugins.backbones.vgg_gap import VGGGap
from camforge_plugins.backbones.wsol_resnet import WSOLResNet


@hookimpl
def camforge_backbones() -> list[type[Backbone]]:
    """The classes of this folder."""
    return [Small, Torchvision, Timm, Transformers, CBAM, VGGGap, WSOLResNet, AlexNetGap]
