"""What this distribution adds to CamForge: one hook per kind, each returns classes."""

from camforge.api import hookimpl
from camforge_stripes.agreement import Agreement
from camforge_stripes.positive_cam import PositiveCAM
from camforge_stripes.softmax_mean import SoftmaxMean


@hookimpl
def camforge_extractors():
    return [PositiveCAM]


@hookimpl
def camforge_fusers():
    return [SoftmaxMean]


@hookimpl
def camforge_metrics():
    return [Agreement]
