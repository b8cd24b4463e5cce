"""Built-in extractors."""

from camforge.api import Extractor, hookimpl
from camforge_plugins.extractors.ablationcam import AblationCAM
from camforge_plugins.extractors.affinitywalk import AffinityWalk
from camforge_plugins.extractors.attention_rollout import AttentionRollout
from camforge_plugins.extractors.attnlrp import AttnLRP
from camforge_plugins.extractors.bagcams import BagCAMs
from camforge_plugins.extractors.beside import Beside
from camforge_plugins.extractors.boundarywalk import BoundaryWalk
from camforge_plugins.extractors.cam import CAM
from camforge_plugins.extractors.ccam import CCAM
from camforge_plugins.extractors.dff import DFF
from camforge_plugins.extractors.drise import DRISE
from camforge_plugins.extractors.eigencam import EigenCAM
from camforge_plugins.extractors.eigengradcam import EigenGradCAM
from camforge_plugins.extractors.elementwise import ElementWiseGradCAM
from camforge_plugins.extractors.featurewalk import FeatureWalk
from camforge_plugins.extractors.fem import FEM
from camforge_plugins.extractors.finercam import FinerCAM
from camforge_plugins.extractors.fullgrad import FullGrad
from camforge_plugins.extractors.generic_attention import GenericAttention
from camforge_plugins.extractors.gradcam import GradCAM
from camforge_plugins.extractors.gradcampp import GradCAMPlusPlus
from camforge_plugins.extractors.guidedbackprop import GuidedBackprop
from camforge_plugins.extractors.guidedgradcam import GuidedGradCAM
from camforge_plugins.extractors.hirescam import HiResCAM
from camforge_plugins.extractors.integratedgradcam import IntegratedGradCAM
from camforge_plugins.extractors.iscam import ISCAM
from camforge_plugins.extractors.kpcacam import KPCACAM
from camforge_plugins.extractors.layercam import LayerCAM
from camforge_plugins.extractors.legrad import LeGrad
from camforge_plugins.extractors.lpcam import LPCAM
from camforge_plugins.extractors.ltfullgrad import LTFullGrad
from camforge_plugins.extractors.ltgradcam import LTGradCAM
from camforge_plugins.extractors.ltlayercam import LTLayerCAM
from camforge_plugins.extractors.occlusion import Occlusion
from camforge_plugins.extractors.odam import ODAM
from camforge_plugins.extractors.pixels import Pixels
from camforge_plugins.extractors.polycam import PolyCAM
from camforge_plugins.extractors.random_map import RandomMap
from camforge_plugins.extractors.reciprocam import ReciproCAM
from camforge_plugins.extractors.refinecam import RefineCAM
from camforge_plugins.extractors.rise import RISE
from camforge_plugins.extractors.scorecam import ScoreCAM
from camforge_plugins.extractors.shapleycam import ShapleyCAM
from camforge_plugins.extractors.sim import SIM
from camforge_plugins.extractors.smoothgradcampp import SmoothGradCAMPlusPlus
from camforge_plugins.extractors.sscam import SSCAM
from camforge_plugins.extractors.transformer_attribution import TransformerAttribution
from camforge_plugins.extractors.xgradcam import XGradCAM


@hookimpl
def camforge_extractors() -> list[type[Extractor]]:
    """The classes of this folder."""
    return [
        AblationCAM, AffinityWalk, AttentionRollout, AttnLRP, BagCAMs, Beside, BoundaryWalk, CAM, CCAM, DFF, DRISE,
        EigenCAM, EigenGradCAM, ElementWiseGradCAM, FeatureWalk, FEM, FinerCAM, FullGrad, GenericAttention, GradCAM,
        GradCAMPlusPlus, GuidedBackprop, GuidedGradCAM, HiResCAM, IntegratedGradCAM, ISCAM, KPCACAM, LayerCAM, LeGrad,
        LPCAM, LTFullGrad, LTGradCAM, LTLayerCAM, Occlusion, ODAM, Pixels, PolyCAM, RandomMap, ReciproCAM, RefineCAM,
        RISE, ScoreCAM, ShapleyCAM, SIM, SmoothGradCAMPlusPlus, SSCAM, TransformerAttribution, XGradCAM,
    ]  # fmt: skip
