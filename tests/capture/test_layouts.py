"""Where a feature map lies: layouts that a shape does not tell, layers that are none, calls of reused modules."""

import copy

import pytest
import torch
from torch import Tensor, nn

import camforge
from camforge import CamForgeError
from camforge.capture import ModelLayers, stages_of


def gradcam(model: nn.Module, images, layer: str, target: int = 1) -> Tensor:
    return camforge.explain(model, images, target, {"name": "gradcam", "layers": [layer]}).maps


def reference(model: nn.Module, inputs: tuple[Tensor, ...], path: str, grid, call: int = -1, target: int = 1) -> Tensor:
    """Grad-CAM in float64 by plain hooks, upsampled; ``grid`` brings the raw output to (B, C, h, w)."""
    twin, kept = copy.deepcopy(model).double().eval(), list[Tensor]()
    twin.get_submodule(path).register_forward_hook(
        lambda _m, _i, out: kept.append(out if isinstance(out, Tensor) else out[0])
    )
    score = twin(*(x.double() for x in inputs))[:, target].sum()
    value = kept[call]
    a, g = grid(value.detach()), grid(torch.autograd.grad(score, value)[0])
    maps = (g.mean(tuple(range(2, g.dim())), keepdim=True) * a).sum(1, keepdim=True).relu()
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[a.dim() - 2]
    return nn.functional.interpolate(maps, inputs[0].shape[2:], mode=mode)[:, 0].float()


class RMS(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(channels) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * self.gain


class OwnLayerNorm(nn.LayerNorm):
    """A subclass, as timm's and transformers' are."""


@pytest.mark.parametrize("norm", [RMS, nn.RMSNorm, OwnLayerNorm, lambda _n: nn.Identity()])
@pytest.mark.parametrize("channels", [8, 12])  # 8 channels, 8 rows, 8 columns: no size tells them apart
def test_channels_last_whatever_the_norm(norm, channels: int) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.norm = nn.Conv2d(3, channels, 4, 4), norm(channels)
            self.act, self.block, self.head = nn.GELU(), nn.Linear(channels, channels), nn.Linear(channels, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(self.patches(x).permute(0, 2, 3, 1))
            return self.head((x + self.block(self.act(x))).mean((1, 2)))

    model, images = Last(), torch.randn(2, 3, 32, 32)
    for layer in ("norm", "act", "block"):
        expected = reference(model, (images,), layer, lambda a: a.permute(0, 3, 1, 2))
        torch.testing.assert_close(gradcam(model, images, layer), expected, rtol=1e-3, atol=1e-5)
    assert camforge.explain(model, images, 1).layers == ("block",)


class Attention(nn.Module):
    """Written out, so that the matrix (B, heads, N, N) passes through a module."""

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        self.patches, self.qkv, self.softmax = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 48), nn.Softmax(-1)
        self.table, self.head = nn.Linear(2, 2), nn.Linear(16, 4)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).unflatten(2, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        places = torch.arange(tokens.shape[1]).float()
        relative = self.table(torch.stack(torch.meshgrid(places, places, indexing="ij"), -1)[None] / 9)
        attention = self.softmax(q @ k.transpose(2, 3) + relative.permute(0, 3, 1, 2))
        return self.head((tokens + (attention @ v).transpose(1, 2).flatten(2)).mean(1))


def test_attention_matrices_and_tables_of_positions_are_no_maps() -> None:
    model, images = Attention(), torch.randn(1, 3, 32, 32)
    assert stages_of(model, images) == ("qkv",)
    with pytest.raises(CamForgeError, match=r"layer 'softmax' returns \(1, 2, 16, 16\): "):
        gradcam(model, images, "softmax")
    with pytest.raises(CamForgeError, match=r"'table' returns \(1, 16, 16, 2\): its first axis is not the images"):
        gradcam(model, images, "table")


class Columns(nn.Module):
    """A text recogniser: the height is averaged away, what is left are image columns, as tokens or as a flat map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.flat = nn.Conv2d(3, 16, 3, 2, 1), nn.AdaptiveAvgPool2d((1, None))
        self.rnn, self.head = nn.GRU(16, 12, batch_first=True), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        columns = self.flat(self.conv(x).relu()).squeeze(2).transpose(1, 2)
        return self.head(self.rnn(columns)[0].mean(1))


def test_columns_of_the_image_are_a_grid_of_one_row() -> None:
    model, images = Columns().eval(), torch.randn(2, 3, 32, 32)
    expected = reference(model, (images,), "rnn", lambda a: a.transpose(1, 2)[:, :, None])
    torch.testing.assert_close(gradcam(model, images, "rnn"), expected, rtol=1e-3, atol=1e-6)
    expected = reference(model, (images,), "flat", lambda a: a)
    torch.testing.assert_close(gradcam(model, images, "flat"), expected, rtol=1e-3, atol=1e-6)


class TokensFirst(nn.Module):
    """(N, B, C) inside, as OpenAI's CLIP has it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.cls = nn.Conv2d(3, 24, 8, 8), nn.Parameter(torch.randn(24))
        layer = nn.TransformerEncoderLayer(24, 2, 32, norm_first=True, dropout=0)
        self.blocks, self.head = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(len(x), 1, -1), tokens], 1).transpose(0, 1)
        return self.head(self.blocks(tokens)[0])


@pytest.mark.parametrize("count", [1, 2, 17])  # as many images as there are tokens
def test_tokens_first(count: int) -> None:
    model, images = TokensFirst().eval(), torch.randn(count, 3, 32, 32)
    found = camforge.explain(model, images, 1)
    assert found.layers == ("blocks.layers.2.norm1",)
    grid = lambda a: a[1:].permute(1, 2, 0).unflatten(2, (4, 4))  # noqa: E731
    expected = reference(model, (images,), "blocks.layers.2.norm1", grid)
    torch.testing.assert_close(found.maps, expected, rtol=1e-3, atol=1e-6)
    with pytest.raises(CamForgeError, match="its first axis is not the images"):
        camforge.explain(model, images, 1, "ablationcam")


class Body(nn.Sequential):
    def __init__(self, channels: int = 3) -> None:
        super().__init__(nn.Conv2d(channels, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1))


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = Body(), nn.Linear(16, 3)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.head(torch.cat([self.body(a).mean((2, 3)), self.body(b).mean((2, 3))], 1))


class TwoViews(Siamese):
    def forward(self, a: Tensor) -> Tensor:
        return super().forward(a, a * 0.5 + 1)


def test_of_a_siamese_network_the_call_that_sees_the_images_is_read() -> None:
    model, pair = Siamese(), (torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32))
    found = camforge.explain(model, pair, 1)
    assert found.layers == ("body#0",)
    expected = reference(model, pair, "body", lambda a: a, call=0)
    torch.testing.assert_close(found.maps, expected, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(gradcam(model, pair, "body"), expected, rtol=1e-3, atol=1e-6)
    other = reference(model, pair, "body", lambda a: a, call=1)
    torch.testing.assert_close(gradcam(model, pair, "body#1"), other, rtol=1e-3, atol=1e-6)


def test_calls_side_by_side_must_be_named() -> None:
    with pytest.raises(CamForgeError, match=r"'body' runs several times side by side: name a call, body#0 or body#1"):
        gradcam(TwoViews(), torch.randn(2, 3, 32, 32), "body")
    assert gradcam(TwoViews(), torch.randn(2, 3, 32, 32), "body#1").shape == (2, 32, 32)


def test_calls_one_after_the_other_are_read_at_the_last() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.conv, self.act = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU()
            self.head = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.act(self.conv(self.act(self.stem(x)))).mean((2, 3)))

    images = torch.randn(2, 3, 16, 16)
    assert ModelLayers(Twice(), (images,)).resolve(("act",)) == ("act#1",)


def test_a_branch_that_sees_another_input_is_no_default() -> None:
    class ColourAndDepth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.colour, self.depth, self.head = Body(), Body(1), nn.Linear(16, 3)

        def forward(self, x: Tensor, depth: Tensor) -> Tensor:
            return self.head(torch.cat([self.colour(x).mean((2, 3)), self.depth(depth).mean((2, 3))], 1))

    inputs = torch.randn(2, 3, 32, 32), torch.randn(2, 1, 32, 32)
    assert camforge.explain(ColourAndDepth(), inputs, 1).layers == ("colour",)
    assert gradcam(ColourAndDepth(), inputs, "depth").shape == (2, 32, 32)


class Frames(nn.Module):
    """(B, T, 3, H, W), or with ``folded`` frames in the batch already."""

    def __init__(self, folded: bool) -> None:
        super().__init__()
        self.body, self.head, self.folded = Body(), nn.Linear(8, 3), folded

    def forward(self, x: Tensor) -> Tensor:
        frames = x if self.folded else x.flatten(0, 1)
        return self.head(self.body(frames).mean((2, 3))).unflatten(0, (-1, 4)).mean(1)


def test_the_first_axis_must_be_the_images() -> None:
    with pytest.raises(CamForgeError, match=r"'body' returns \(8, 8, 16, 16\): its first axis is not the images"):
        gradcam(Frames(False), torch.randn(2, 4, 3, 32, 32), "body")
    with pytest.raises(CamForgeError, match=r"returns \(2, 3\) for 8 images: not one row of logits per image"):
        gradcam(Frames(True), torch.randn(8, 3, 32, 32), "body")
    with pytest.raises(CamForgeError, match="no layer with a spatial extent whose places follow the image"):
        camforge.explain(Frames(False), torch.randn(2, 4, 3, 32, 32), 1)


def test_a_layer_without_places_is_one_line() -> None:
    model = nn.Sequential(Body(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    with pytest.raises(CamForgeError, match=r"layer '4' returns \(2, 6\): it has no spatial axis: name another layer"):
        gradcam(model, torch.randn(2, 3, 16, 16), "4")
    with pytest.raises(CamForgeError, match=r"the images are torch.float32 of shape \(2, 3\): give floating point"):
        gradcam(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), torch.randn(2, 3), "0")


def test_of_a_segmentation_network_the_smallest_map_is_read_and_not_the_logits() -> None:
    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.deep, self.up = (
                nn.Conv2d(3, 8, 3, 2, 1),
                nn.Conv2d(8, 8, 3, 2, 1),
                nn.Upsample(scale_factor=4),
            )
            self.out = nn.Conv2d(8, 5, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.up(self.deep(self.down(x).relu()).relu()))

    class Straight(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(Body(), nn.ReLU(), nn.Conv2d(8, 5, 1))

    images = torch.randn(2, 3, 32, 32)
    for model, layer in ((UNet(), "deep"), (Straight(), "1")):
        assert stages_of(model, images)[-1] == layer
        found = camforge.explain(model, images, 2, select=lambda out: out.mean((2, 3)))
        assert found.layers == (layer,)


def test_signals() -> None:
    class Signal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.deep = nn.Conv1d(2, 12, 5, 2, 2), nn.BatchNorm1d(12), nn.Conv1d(12, 12, 5, 2, 2)
            self.head = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.deep(self.norm(self.conv(x)).relu()).tanh().mean(2))

    model, signals = Signal().eval(), torch.randn(3, 2, 64)
    found = camforge.explain(model, signals, 1)
    assert found.layers == ("deep",)
    torch.testing.assert_close(found.maps, reference(model, (signals,), "deep", lambda a: a), rtol=1e-3, atol=1e-6)
    assert camforge.explain(model, signals, 1, {"name": "gradcam", "flip": True, "scales": [1, 0.5]}).maps.shape == (
        3,
        64,
    )


def test_an_intervention_is_kept_and_made_anew_for_a_changed_model() -> None:
    model, images = (
        nn.Sequential(Body(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)),
        torch.randn(4, 3, 16, 16),
    )
    runs: list[int] = []
    handle = model[0][0].register_forward_hook(lambda _m, inputs, _o: runs.append(len(inputs[0])))
    for _ in range(3):
        camforge.explain(model, images, 1)
    # alone, undisturbed and eight times three disturbances, once to see what the output is made of, then the passes;
    # in the first of them alone and beside another image
    assert runs == [1, 25, 1, 4, 1, 2, 4, 4]
    model[0][1] = nn.Tanh()
    camforge.explain(model, images, 1)
    assert runs[8:] == [1, 25, 1, 4, 1, 2]
    handle.remove()


def test_what_an_earlier_pass_could_not_see_is_looked_for_again() -> None:
    """A network without signal, such as before its weights are loaded, answers nothing; that is no lasting answer."""
    model = nn.Sequential(Body(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)).eval()
    images, weights = torch.randn(2, 3, 16, 16), copy.deepcopy(model.state_dict())
    with torch.no_grad():
        next(model.parameters()).zero_()
    for call in (lambda: camforge.explain(model, images, 1), lambda: gradcam(model, images, "0")):
        with pytest.raises(CamForgeError, match=r"follow the image|does not change with the image"):
            call()
    model.load_state_dict(weights)
    expected = reference(model, (images,), "0", lambda a: a)
    torch.testing.assert_close(camforge.explain(model, images, 1).maps, expected, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(gradcam(model, images, "0"), expected, rtol=1e-3, atol=1e-6)


class Tokens(nn.Module):
    """Blocks that hand on a map and, beside it, class tokens, which alone reach the output, as PiT's do."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.mix = nn.LayerNorm(8), nn.Linear(8, 8)

        def forward(self, tokens: Tensor) -> Tensor:
            near = self.norm(tokens)
            return tokens + self.mix(near) + near.softmax(1).mean(1, keepdim=True)

    class Stage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.blocks = nn.Conv2d(8, 8, 3, 2, 1), nn.Sequential(Tokens.Block(), Tokens.Block())

        def forward(self, x: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
            x = self.pool(x)
            tokens = self.blocks(torch.cat([first, x.flatten(2).transpose(1, 2)], 1))
            return tokens[:, 1:].transpose(1, 2).unflatten(2, x.shape[2:]), tokens[:, :1]

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.stage = nn.Conv2d(3, 8, 4, 4), Tokens.Stage()
        self.aside, self.head = nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x, first = self.stage(self.patches(x), torch.zeros(len(x), 1, 8))
        self.aside(x)  # computed, but nothing of it is in the output
        return self.head(first[:, 0])


def test_no_stage_lies_beside_the_way_to_the_output() -> None:
    model, images = Tokens().eval(), torch.randn(2, 3, 32, 32)
    found = camforge.explain(model, images, 1)
    assert found.layers == ("stage.blocks.1.norm",)
    on_grid = lambda a: a[:, 1:].transpose(1, 2).unflatten(2, (4, 4))  # noqa: E731
    expected = reference(model, (images,), "stage.blocks.1.norm", on_grid)
    assert expected.abs().max() > 0
    torch.testing.assert_close(found.maps, expected, rtol=1e-3, atol=1e-6)


def test_a_module_of_several_names_is_read_under_any() -> None:
    class Twice(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(Body(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
            self.encoder = self[0]

        def forward(self, x: Tensor) -> Tensor:
            return self[3](self[2](self[1](self.encoder(x))))

    model, images = Twice().eval(), torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(gradcam(model, images, "encoder"), gradcam(model, images, "0"))
    torch.testing.assert_close(gradcam(model, images, "encoder.0#0"), gradcam(model, images, "0.0"))
    with pytest.raises(CamForgeError, match=r"the model has no layer 'encoder\.9'"):
        gradcam(model, images, "encoder.9")
