"""Classes of one image told apart by the evidence of one layer."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Fuser, Maps, max_normalise

from .label import counted, image_max, image_sum


class Share(Fuser):
    """The sum of the layers' maps, shared at each pixel among the image's classes by a softmax over the last layer.

    M_c = s_c sum_(l < last) M_l,c / max M_l,c, s_c = exp(t E_c) / sum_k exp(t E_k), k over the classes of the image's
    label; E is the last layer's raw map, best the class activation map (``cam``), whose values are parts of the logits.
    So maps that hardly depend on the class, such as ``sim``'s, are told apart. The softmax is that of ReCAM (Chen et
    al., CVPR 2022), here over an image's places instead of its pooled features. One class alone keeps the sum; a single
    layer is shared by its own evidence.
    """

    name = "share"
    axis: Literal["layer"] = "layer"
    normalise: Literal["none"] = "none"
    """The other layers are always divided by their maximum, the evidence never is."""
    sharpness: Annotated[float, Field(gt=0)] = 1.0
    """t: the larger, the more the strongest class takes. Maps of several scales are sums over them."""

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        total = max_normalise(values[:, :-1] if values.shape[1] > 1 else values).sum(1)
        kept = maps.replace(total, tuple(axis for axis in maps.axes if axis != "layer"))
        there = counted(total, kept)
        evidence = torch.where(there, self.sharpness * values[:, -1], -torch.inf)
        strength = torch.where(there, (evidence - image_max(evidence, kept)).exp(), 0)
        whole = image_sum(strength, kept)
        return total * torch.where(whole > 0, strength / torch.where(whole > 0, whole, 1), 0)
