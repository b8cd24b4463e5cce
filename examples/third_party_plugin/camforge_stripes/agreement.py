"""A metric."""

import torch

from camforge.api import CamForgeError, Metric


class Agreement(Metric):
    """Agreement in percent (0..100): how much of a map's positive mass lies inside the mask of its class."""

    name = "agreement"
    api = "2.0"

    def update(self, metric_input):
        masks = metric_input.batch.masks
        if masks is None:
            raise CamForgeError(f"metric {self.name!r} needs masks")
        if not metric_input.maps.isfinite().all():
            raise CamForgeError(f"metric {self.name!r}: a map is NaN or infinite")
        mass = metric_input.maps.double().relu()
        inside = masks[metric_input.images] == metric_input.classes[:, None, None] + 1
        return torch.stack([(mass * inside).sum(), mass.sum()])

    def compute(self, total, classes):
        return {self.name: float(100 * total[0] / total[1].clamp(min=1e-12))}
