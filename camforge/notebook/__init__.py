"""How groupings, maps and experiments show themselves, registered when this room is imported, as results do by import.

``show`` is for the maps that ``camforge.explain`` returns.
"""

from camforge.config.schema import Experiment
from camforge.notebook.files import save_experiment, save_grouping, save_maps
from camforge.notebook.html import experiment_html, grouping_html, maps_html
from camforge.notebook.pictures import Drawing, grouping_drawing, maps_picture, show
from camforge.pictures import Picture
from camforge.types import Grouping, Maps

Grouping.register_renderers(plot=grouping_drawing, save=save_grouping, html=grouping_html)
Maps.register_renderers(plot=maps_picture, save=save_maps, html=maps_html)
Experiment.register_renderers(save=save_experiment, html=experiment_html)

__all__ = ["Drawing", "Picture", "show"]
