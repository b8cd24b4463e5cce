"""AlexNet-GAP."""

import torch
from torch.nn.functional import relu

from camforge_plugins.backbones.alexnet_gap import AlexNetGap
from camforge_plugins.backbones.torchvision_models import Torchvision


def test_it_is_alexnet_up_to_conv5_a_convolution_and_a_pooled_linear_layer() -> None:
    network = AlexNetGap(width=8).build(3).eval()
    plain = Torchvision(arch="alexnet").build(3).body.get_submodule("features")
    images, weights = torch.rand(2, 3, 224, 224), network.body.state_dict()
    plain.load_state_dict(
        {
            name.removeprefix("features."): value
            for name, value in weights.items()
            if name[9:11] != "co" and name.startswith("features.")
        }
    )
    with torch.no_grad():
        conv5 = plain[:-1](images)  # type: ignore[index]
        conv6 = relu(torch.conv2d(conv5, weights["features.conv6.weight"], weights["features.conv6.bias"], padding=1))
        expected = conv6.mean((2, 3)) @ weights["fc.weight"].T + weights["fc.bias"]
        torch.testing.assert_close(network(images), expected)
    assert conv6.shape == (2, 8, 13, 13)  # Zhou et al. 2016, sec. 3.1
    assert network.stages == ("features.1", "features.4", "features.9", "features.relu6")


def test_without_the_further_convolution_the_last_stage_is_conv5() -> None:
    network = AlexNetGap(width=0).build(3)
    assert network.stages[-1] == "features.11"
    assert network.class_features().shape == (3, 256)
