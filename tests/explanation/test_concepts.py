"""An image's concepts: their maps are the factors, their legend what the network makes of each, their picture both."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

import camforge
from camforge.explanation.concepts.drawing import OPACITY, coloured, concept_colours, legend_tile


class Colours(nn.Module):
    """Three features, red, green and blue at every fourth pixel, pooled and read off as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 3, 1, bias=False), nn.ReLU())
        self.head = nn.Linear(3, 3, bias=False)
        for weight in (self.features[1].weight.data, self.head.weight.data):
            weight.copy_(torch.eye(3).view_as(weight))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).mean((2, 3)))


@pytest.fixture
def striped() -> Tensor:
    """A red, a green and a blue third side by side, and the same mirrored."""
    image = torch.zeros(3, 12, 36)
    for colour in range(3):
        image[colour, :, 12 * colour : 12 * colour + 12] = 3 - colour  # red is the largest share
    return torch.stack([image, image.flip(-1)])


def test_each_colour_is_a_concept_that_is_taken_for_itself(striped: Tensor) -> None:
    found = camforge.concepts(
        Colours().eval(), striped, {"name": "dff", "count": 3, "layers": ["features"]}, classes=("red", "green", "blue")
    )
    assert found.images.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.targets.tolist() == [0, 1, 2, 0, 1, 2], "the largest shares come first"
    assert found.probabilities.shape == (2, 3, 3)
    for image, order in ((0, (0, 1, 2)), (1, (2, 1, 0))):
        for concept, third in enumerate(order):
            heat = found.of(image)[concept]
            assert heat[:, 12 * third + 2 : 12 * third + 10].mean() > 0.95
            assert (
                heat[
                    :, [x for x in range(36) if x // 12 != third and (x + 2) // 12 != third and (x - 2) // 12 != third]
                ].max()
                < 0.05
            )
    first = found.legend(0)[0]
    share = float(torch.tensor([3.0, 0, 0]).softmax(0)[0])
    assert first.startswith(f"red {share:.2f}, ")
    assert first.count(",") == 1


def test_the_picture_has_each_concepts_colour_where_it_is_and_a_legend(striped: Tensor, tmp_path: Path) -> None:
    found = camforge.concepts(Colours().eval(), striped[:1], {"name": "dff", "count": 3, "layers": ["features"]})
    picture, colours = torch.full((3, 12, 36), 100, dtype=torch.uint8), concept_colours(3)
    painted = coloured(picture, found.of(0), colours)
    for third in range(3):
        expected = (100 + OPACITY * (colours[third].float() - 100)).round()
        assert (painted[:, 6, 12 * third + 6].float() - expected).abs().max() <= 2
    assert found.show(picture).save(tmp_path / "concepts.png").is_file()
    assert legend_tile(["a", "b" * 80], colours[:2]).shape[2] > legend_tile(["a", "b"], colours[:2]).shape[2]
    assert len({tuple(colour) for colour in concept_colours(12).tolist()}) == 12


def test_photographs_of_other_sizes_keep_their_own(tmp_path: Path) -> None:
    photographs = [torch.randint(255, (3, *size), dtype=torch.uint8) for size in ((24, 40), (30, 20))]
    prepare = v2.Compose([v2.Resize((16, 16)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    found = camforge.concepts(
        Colours().eval(),
        photographs,
        {"name": "dff", "count": 2, "layers": ["features"]},
        preprocess=prepare,
        batch_size=1,
    )
    assert found.of(0).shape == (2, 24, 40)
    assert found.of(1).shape == (2, 30, 20)
    assert len(found.probabilities) == 2
    assert (found.save(tmp_path / "out") / "explanation.json").is_file()


def test_what_is_no_concept_is_told(striped: Tensor) -> None:
    with pytest.raises(camforge.CamForgeError, match="'gradcam' finds no concepts; give one that does, such as dff"):
        camforge.concepts(Colours(), striped, "gradcam")
    with pytest.raises(camforge.CamForgeError, match="dff reads 2 layers; name one"):
        camforge.concepts(Colours(), striped, {"name": "dff", "layers": ["features.1", "features"]})
    with pytest.raises(camforge.CamForgeError, match="top=0"):
        camforge.concepts(Colours(), striped, top=0)
