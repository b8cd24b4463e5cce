"""Which part of the image a layer lies on: maps of less or more than the image are refused, not stretched over it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

import camforge
from camforge import CamForgeError


class Reading(nn.Module):
    """A classifier of bright places which crops, pads or masks its images first."""

    def __init__(self, first: Callable[[Tensor], Tensor], attends: bool = False) -> None:
        super().__init__()
        self.first, self.attends = first, attends
        self.patches, self.deep, self.head = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.deep(self.patches(self.first(x)).tanh()).tanh()
        if self.attends:
            x = x + x.mean((2, 3), keepdim=True)
        return self.head(x.square().mean((2, 3)))


def letterboxed(x: Tensor) -> Tensor:
    beside = x.shape[3] - x.shape[2]
    return pad(x, (0, 0, beside // 2, beside - beside // 2))


@pytest.mark.parametrize("attends", [False, True])
@pytest.mark.parametrize(
    ("first", "lies"),
    [
        (lambda x: x[..., 8:40, 16:48], "8 to 40 x 16 to 48 of 48x64"),
        (lambda x: x[..., :24, :32], "0 to 24 x 0 to 32 of 48x64"),
        (lambda x: pad(x, (0, 32, 0, 24)), "0 to 72 x 0 to 96 of 48x64"),
        (letterboxed, "-8 to 56 x 0 to 64 of 48x64"),
    ],
    ids=["centre", "corner", "padded", "letterbox"],
)
def test_a_part_of_the_image_is_not_stretched_over_it(first, lies: str, attends: bool) -> None:
    torch.manual_seed(0)
    model, images = Reading(first, attends).eval(), torch.randn(2, 3, 48, 64)
    for extractor in ("gradcam", "scorecam", {"name": "layercam", "layers": ["patches"]}):
        with pytest.raises(CamForgeError, match="the model crops or pads the images") as caught:
            camforge.explain(model, images, 1, extractor)
        numbers = [int(word) for word in str(caught.value).replace("x", " ").split() if word.lstrip("-").isdigit()]
        wanted = [int(word) for word in lies.replace("x", " ").split() if word.lstrip("-").isdigit()]
        assert all(abs(a - b) <= 2 for a, b in zip(numbers[:4], wanted[:4], strict=True)), (str(caught.value), lies)
    assert camforge.explain(model, images, 1, "occlusion").maps.shape == (2, 48, 64)  # it reads no layer


@pytest.mark.parametrize("attends", [False, True])
def test_a_model_that_looks_at_a_part_of_the_whole_image_is_explained(attends: bool) -> None:
    """Hidden, not cut off: the places outside are there, and lie where they lie."""

    def corner(x: Tensor) -> Tensor:
        return torch.cat([torch.cat([x[..., :24, :32], 0 * x[..., :24, 32:]], 3), 0 * x[..., 24:, :]], 2)

    torch.manual_seed(0)
    model, images = Reading(corner).eval(), torch.randn(2, 3, 48, 64)
    (maps,) = [camforge.explain(model, images, 1, {"name": "layercam", "layers": ["patches"]}).maps]
    assert maps.shape == (2, 48, 64)
    plain = Reading(nn.Identity(), attends).eval()
    assert camforge.explain(plain, images, 1).maps.shape == (2, 48, 64)
    assert camforge.explain(plain, images[:, :, :2, :3].repeat(1, 1, 4, 3), 1).maps.shape == (2, 8, 9)  # few pixels
