"""Built-in extractors."""

from camforge.api import Extractor, hookimpl
from camforge_plugins.extractors.cam import CAM
from camforge_plugins.extractors.gradcam import GradCAM
from camforge_plugins.extractors.layercam import LayerCAM


@hookimpl
def camforge_extractors() -> list[type[Extractor]]:
    """The classes of this folder."""
    return [CAM, GradCAM, LayerCAM]
