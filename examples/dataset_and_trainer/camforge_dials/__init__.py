"""What this distribution adds to CamForge: a data set, and a trainer that suits it."""

from camforge.api import hookimpl
from camforge_dials.dials import Dials
from camforge_dials.smoothed import Smoothed


@hookimpl
def camforge_datasets():
    return [Dials]


@hookimpl
def camforge_trainers():
    return [Smoothed]
