"""The pass: right for every layer named, and the model comes back as it was."""

import copy
import gc
import weakref

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

import camforge
from camforge import CamForgeError, build
from camforge.capture import Capture, Needs, extract_maps

HIRES = (("conv1",), ("bn1",), ("conv2",), ("bn2",), ("relu#0",), ("relu#1",), ("relu",), ("conv1", "bn2", "relu#0"))


class ElementWise:
    """sum_k g_k A_k, unrectified, so that the sign of every activation and gradient shows."""

    scales, flip, views = (1.0,), False, "sum"

    def __init__(self, layers: tuple[str, ...]) -> None:
        self.layers = layers

    def needs(self, model_layers) -> Needs:
        names = model_layers.resolve(self.layers)
        return Needs(activations=names, gradients=names)

    def extract(self, capture: Capture) -> list[Tensor]:
        return [(capture.gradients[n] * capture.activations[n]).sum(1) for n in capture.resolve(self.layers)]


class Broken(ElementWise):
    def extract(self, capture: Capture) -> list[Tensor]:
        raise RuntimeError(f"injected into {capture}")


def reference(plain, images: Tensor, layer: str, target: int) -> Tensor:
    """sum_k A_k dy/dA_k from the copy without in-place operations and plain autograd."""
    path, _, call = layer.partition("#")
    outputs: list[Tensor] = []
    handle = plain.get_submodule(path).register_forward_hook(lambda _m, _i, out: outputs.append(out))
    plain.eval()
    score = plain(images)[:, target].sum()
    handle.remove()
    output = outputs[int(call) if call else -1]
    return (output * torch.autograd.grad(score, output)[0]).sum(1).detach()


@pytest.mark.parametrize("layers", HIRES)
def test_in_place_operations_and_reused_modules(residual_pair, images, unchanged, layers) -> None:
    inplace, plain = residual_pair
    inplace.train()
    check = unchanged(inplace)
    found = extract_maps(inplace, images, [ElementWise(layers)], 2).maps[0]
    check()
    for layer, values in zip(layers, found, strict=True):
        torch.testing.assert_close(values, reference(plain, images, layer, 2))


def test_bn3_before_the_residual_addition_of_a_resnet(unchanged) -> None:
    from torchvision.models import resnet50

    model, images = resnet50(num_classes=5), torch.randn(1, 3, 32, 32)
    plain = resnet50(num_classes=5)
    plain.load_state_dict(model.state_dict())
    for module in plain.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    block = plain.layer4[2]  # the addition itself is in place too: write it out
    block.forward = lambda x: block.relu(block.bn3(block.conv3(block.relu(block.bn2(block.conv2(block.relu(
        block.bn1(block.conv1(x)))))))) + x)  # fmt: skip
    check = unchanged(model)
    found = extract_maps(model, images, [ElementWise(("layer4.2.bn3", "layer4.2.bn2"))], 1).maps[0]
    check()
    for layer, values in zip(("layer4.2.bn3", "layer4.2.bn2"), found, strict=True):
        torch.testing.assert_close(values, reference(plain, images, layer, 1), rtol=1e-4, atol=1e-6)


def test_state_is_kept_in_every_mode_of_the_caller(residual_pair, images, unchanged) -> None:
    model, plain = residual_pair
    model(images).sum().backward()  # gradients that must survive
    model.bn1.eval()
    model.conv1.weight.requires_grad_(False)
    check = unchanged(model)
    expected = reference(plain, images, "conv2", 0)
    plain.load_state_dict(model.state_dict())
    expected = reference(plain, images, "conv2", 0)
    for mode in (torch.no_grad, torch.enable_grad, torch.inference_mode):
        with mode():
            given = images.clone()
            (found,) = extract_maps(model, given, [ElementWise(("conv2",))], 0).maps[0]
            torch.testing.assert_close(found, expected)
        check()


def test_a_frozen_model_is_explained(residual_pair, images, unchanged) -> None:
    model, plain = residual_pair
    model.requires_grad_(False)
    check = unchanged(model)
    (found,) = extract_maps(model, images, [ElementWise(("bn1",))], 0).maps[0]
    check()
    torch.testing.assert_close(found, reference(plain, images, "bn1", 0))


@pytest.mark.parametrize("where", ["extractor", "model", "targets"])
def test_state_is_kept_after_an_exception(residual_pair, images, unchanged, where: str) -> None:
    model, _ = residual_pair
    model.train()
    extractor = Broken(("conv1",)) if where == "extractor" else ElementWise(("conv1",))
    given = images[:, :2] if where == "model" else images
    check = unchanged(model)
    with pytest.raises((RuntimeError, CamForgeError)):
        extract_maps(model, given, [extractor], 99 if where == "targets" else 0)
    check()
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_grad_mode_does_not_leak_into_extractors(residual_pair, images) -> None:
    class Watch(ElementWise):
        def extract(self, capture: Capture) -> list[Tensor]:
            assert torch.is_grad_enabled() is self.expected
            return super().extract(capture)

    watch = Watch(("bn2",))
    for create_graph in (False, True):
        watch.expected = create_graph
        with torch.no_grad():
            (found,) = extract_maps(residual_pair[0], images, [watch], 0, create_graph=create_graph).maps[0]
        assert found.requires_grad is create_graph


def test_create_graph_gives_the_gradient_of_the_map(residual_pair, images, unchanged) -> None:
    model = residual_pair[0].double()
    images = images.double()
    check = unchanged(model)

    def energy() -> Tensor:
        return extract_maps(model, images, [ElementWise(("conv2",))], 1, create_graph=True).maps[0][0].square().sum()

    weight = model.conv2.weight
    (slope,) = torch.autograd.grad(energy(), weight)
    check()
    step = 1e-6
    with torch.no_grad():
        weight[0, 0, 1, 1] += step
        up = energy()
        weight[0, 0, 1, 1] -= 2 * step
        down = energy()
        weight[0, 0, 1, 1] += step
    assert abs((up - down) / (2 * step) - slope[0, 0, 1, 1]) < 1e-6 * slope.abs().max()


def test_training_through_cam_reaches_head_and_convolutions(images) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    for name in ("gradcam", "layercam"):
        options = {"name": name, "layers": ("1",)}
        found = camforge.explain(model, images, 1, options, create_graph=True)
        grads = torch.autograd.grad(found.maps.sum(), [model[0].weight, model[4].weight])
        assert all(g.abs().sum() > 0 for g in grads)


def test_wrappers_are_looked_through(residual_pair, images, unchanged) -> None:
    model, plain = residual_pair
    expected = reference(plain, images, "bn2", 3)
    compiled_in_place = type(model)(True)
    compiled_in_place.load_state_dict(model.state_dict())
    compiled_in_place.compile(backend="eager")
    compiled_in_place.eval()(images)  # compiled before any hook is there
    parts_compiled = nn.Sequential(torch.compile(compiled_in_place, backend="eager"))
    parts_compiled(images)
    wrappers = {
        nn.DataParallel(model): "bn2",
        torch.compile(model, backend="eager"): "bn2",
        compiled_in_place: "bn2",
        parts_compiled: "0._orig_mod.bn2",
    }
    for wrapped, layer in wrappers.items():
        check = unchanged(wrapped)
        (found,) = extract_maps(wrapped, images, [ElementWise((layer,))], 3).maps[0]
        check()
        torch.testing.assert_close(found, expected)


def test_distributed_data_parallel_is_looked_through(residual_pair, images, unchanged, tmp_path) -> None:
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(residual_pair[0])
        check = unchanged(wrapped)
        (found,) = extract_maps(wrapped, images, [ElementWise(("bn2",))], 3).maps[0]
        check()
    finally:
        torch.distributed.destroy_process_group()
    torch.testing.assert_close(found, reference(residual_pair[1], images, "bn2", 3))


def test_nothing_of_a_pass_outlives_it(residual_pair, images) -> None:
    """Without the garbage collector's help: no cycle keeps an activation, and with it the whole graph, alive."""
    kept: list[weakref.ref[Tensor]] = []

    class Remember(ElementWise):
        def extract(self, capture: Capture) -> list[Tensor]:
            found = super().extract(capture)
            for tensors in (capture.activations, capture.gradients):
                kept.extend(weakref.ref(tensors[layer]) for layer in capture.resolve(self.layers))
            kept.append(weakref.ref(capture.logits))
            return found

    gc.disable()
    try:
        found = extract_maps(residual_pair[0], images, [Remember(("conv1", "bn2"))], [[0, 1]] * 3)
        assert len(found.targets) == 6
        assert [reference() for reference in kept] == [None] * 10
    finally:
        gc.enable()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_in_half_precision(residual_pair, images, unchanged, dtype: torch.dtype) -> None:
    model, plain = residual_pair
    model.to(dtype)
    check = unchanged(model)
    (found,) = extract_maps(model, images.to(dtype), [ElementWise(("conv2",))], 1).maps[0]
    check()
    expected = reference(plain.to(dtype), images.to(dtype), "conv2", 1).float()
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


def test_dict_and_tuple_outputs_need_a_selector(residual_pair, images) -> None:
    class Wrapped(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> dict[str, tuple[Tensor, str]]:
            return {"out": (self.inner(x), "beside")}

    model = Wrapped(residual_pair[0])
    extractor = ElementWise(("inner.bn2",))
    with pytest.raises(CamForgeError, match="returns a dict; give select="):
        extract_maps(model, images, [extractor], 0)
    (found,) = extract_maps(model, images, [extractor], 0, select=lambda out: out["out"][0]).maps[0]
    torch.testing.assert_close(found, reference(residual_pair[1], images, "bn2", 0))


def test_several_inputs(residual_pair, images) -> None:
    class Scaled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor, scale: Tensor, sign: int) -> Tensor:
            return self.inner(x) * scale * sign

    scale = torch.tensor([[1.0], [2.0], [3.0]])
    (found,) = extract_maps(Scaled(residual_pair[0]), (images, scale, -1), [ElementWise(("inner.bn2",))], 0).maps[0]
    expected = reference(residual_pair[1], images, "bn2", 0)
    torch.testing.assert_close(found, -expected * scale[:, :, None])


def test_autocast_gives_float32_maps(residual_pair, images) -> None:
    model, plain = residual_pair
    with torch.autocast("cpu", torch.bfloat16):
        model.eval()(images)  # fills the cache of weights that autocast keeps
        (found,) = extract_maps(model, images, [ElementWise(("conv2",))], 0).maps[0]
        expected = reference(plain, images, "conv2", 0).float()
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


def test_nothing_is_recorded_below_the_shallowest_layer(residual_pair, images) -> None:
    model, _ = residual_pair
    seen: dict[str, bool] = {}
    extract_maps(model, images, [ElementWise(("relu#0",))], 0)  # finds out where the maps lie, once
    for name in ("bn1", "conv2"):
        layer = model.get_submodule(name)
        layer.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out.requires_grad}))
    extract_maps(model, images, [ElementWise(("relu#0",))], 0)
    assert seen == {"bn1": False, "conv2": True}


def test_one_forward_and_one_backward_for_many_extractors(residual_pair, images) -> None:
    model, _ = residual_pair
    forwards, backwards = [], []
    extract_maps(model, images, [ElementWise(layers) for layers in HIRES], 0)  # finds out where the maps lie, once
    model.register_forward_hook(lambda _m, _i, out: forwards.append(out.register_hook(lambda g: backwards.append(g))))
    extract_maps(model, images, [ElementWise(layers) for layers in HIRES], 0)
    assert (len(forwards), len(backwards)) == (1, 1)


def test_a_second_relu_is_not_taken_for_a_linear_head(images) -> None:
    """It changes no number, only the gradient where the activation is zero."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.relu, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.relu(self.conv(x)).relu().mean((2, 3)))

    model, kept = Twice(), []
    handle = model.relu.register_forward_hook(lambda _m, _i, out: kept.append(out))
    score = model(images)[:, 1].sum()
    handle.remove()
    gradient = torch.autograd.grad(score, kept[0])[0]
    assert (gradient == 0).any()
    expected = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1).relu()
    (found,) = extract_maps(model, images, [build("extractor", {"name": "gradcam", "layers": ["relu"]})], 1).maps[0]
    torch.testing.assert_close(found, expected.detach())
    with pytest.raises(CamForgeError, match="not followed by just global average pooling"):
        extract_maps(model, images, [build("extractor", "cam")], 1)


def test_layer_errors_name_the_layer(residual_pair, images) -> None:
    model, _ = residual_pair
    cases = {
        ("bn3",): "no layer 'bn3'.*near it: bn",
        ("relu#5",): "layer 'relu' was called 2 times; there is no call #5",
        ("relu#x",): "after '#' stands the index",
    }
    for layers, message in cases.items():
        with pytest.raises(CamForgeError, match=message):
            extract_maps(model, images, [ElementWise(layers)], 0)


def test_nan_logits_name_the_images(residual_pair, images) -> None:
    images[1] = torch.nan
    with pytest.raises(CamForgeError, match=r"images \[1\]"):
        extract_maps(residual_pair[0], images, [ElementWise(("bn1",))], 0)


def test_maps_of_no_pair_keep_their_shape(residual_pair, images) -> None:
    none = torch.zeros(3, 4, dtype=torch.bool)
    found = extract_maps(residual_pair[0], images, [build("extractor", {"name": "layercam", "layers": ["bn1"]})], none)
    assert found.maps[0][0].shape == (0, 7, 5)
    assert len(found.targets) == 0


def test_up_to_the_layer_torchvisions_networks_run_in_inference_mode(images, monkeypatch) -> None:
    """Not where somebody's hook would see it; the maps are the same to the digit, and the model can be trained."""
    model, modes, block = torchvision.models.resnet18(num_classes=5).eval(), list[bool](), BasicBlock.forward
    monkeypatch.setattr(
        BasicBlock, "forward", lambda *given: (modes.append(torch.is_inference_mode_enabled()), block(*given))[1]
    )
    extractor = [build("extractor", {"name": "gradcam", "layers": ["layer3"]})]
    (light,) = extract_maps(model, images, extractor, 1).maps[0]
    handle = model.layer1.register_forward_hook(lambda _m, _i, out: modes.append(out.is_inference()))
    (plain,) = extract_maps(model, images, extractor, 1).maps[0]
    handle.remove()
    assert modes == [True] * 6 + [False] * 2 + [False] * 9
    assert torch.equal(light, plain)
    model.train()(images).sum().backward()  # would refuse tensors that were made in inference mode
    assert model.conv1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("layer", ["features.1.block.1.avgpool", "features.1.block.1.scale_activation"])
def test_a_layer_whose_output_meets_earlier_ones_in_a_product(images, layer: str) -> None:
    """A squeeze-and-excitation's scale: autograd keeps what it is multiplied with, which inference mode forbids."""
    model = torchvision.models.mobilenet_v3_small(num_classes=5).eval().double()
    seen: dict[str, Tensor] = {}
    maps = extract_maps(model, images.double(), [ElementWise((layer,))], 1).maps[0][0]

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        seen["x"] = output.clone()
        output.retain_grad()
        seen["kept"] = output

    handle = model.get_submodule(layer).register_forward_hook(keep)
    model(images.double())[:, 1].sum().backward()
    handle.remove()
    expected = (seen["x"] * seen["kept"].grad).sum(1).relu()
    torch.testing.assert_close(maps, expected.detach(), rtol=1e-9, atol=1e-12)


class BatchStatistics(nn.Module):
    """Its batch norm normalises with the statistics of the batch, also in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6, track_running_stats=False)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)).tanh())


def test_of_images_that_a_batch_norm_mixes_each_has_its_own_gradient(images) -> None:
    """Not that of the sum over the batch, in which another image's score shows."""
    model = BatchStatistics().eval()
    twin = copy.deepcopy(model).double()
    kept: list[Tensor] = []
    twin.conv.register_forward_hook(lambda _m, _i, out: kept.append(out))
    logits = twin(images.double())
    targets = [[0, 2], *[[1]] * (len(images) - 1)]
    pairs = [(image, target) for image, row in enumerate(targets) for target in row]
    slopes = [torch.autograd.grad(logits[i, t], kept[0], retain_graph=True)[0][i] for i, t in pairs]
    expected = [(slope.relu() * kept[0][i]).sum(0).relu() for (i, _), slope in zip(pairs, slopes, strict=True)]
    layercam = build("extractor", {"name": "layercam", "layers": ["conv"]})
    found = extract_maps(model, images, [layercam], targets)
    torch.testing.assert_close(found.maps[0][0].double(), torch.stack(expected).detach(), rtol=1e-3, atol=1e-7)
    assert found.images.tolist() == [image for image, _ in pairs]
    for name in ("scorecam", "smoothgradcampp", "ablationcam"):
        with pytest.raises(CamForgeError, match="the model mixes the images of a batch"):
            extract_maps(model, images, [build("extractor", name)], 1)
        alone = extract_maps(model, images[:1], [build("extractor", name)], 1)
        assert alone.maps[0][0].isfinite().all()


class AlongTheImages(nn.Module):
    """Its encoder takes (N, B, C) and is given (B, N, C): images attend to one another, place by place."""

    def __init__(self, batch_first: bool = False) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 2, 2)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=batch_first, dropout=0)
        self.blocks, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 4)
        with torch.no_grad():
            for block in self.blocks.layers:
                block.self_attn.in_proj_weight.mul_(3)  # images look at one another, not at all of them alike

    def tokens(self, x: Tensor) -> Tensor:
        return self.patches(x).flatten(2).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.tokens(x)).mean(1).tanh())


def test_of_images_that_attention_mixes_each_has_its_own_gradient() -> None:
    torch.manual_seed(0)
    model, images = AlongTheImages().eval(), torch.randn(3, 3, 8, 6)
    twin, kept = copy.deepcopy(model).double(), list[Tensor]()
    twin.patches.register_forward_hook(lambda _m, _i, out: kept.append(out))
    own = [torch.autograd.grad(twin(images.double())[i, 1], kept[-1])[0][i] for i in range(3)]
    summed = torch.autograd.grad(twin(images.double())[:, 1].sum(), kept[-1])[0]
    weights = torch.stack(own).mean((2, 3), keepdim=True)
    expected = (weights * kept[0].detach()).sum(1).relu()
    gradcam = build("extractor", {"name": "gradcam", "layers": ["patches"]})
    found = extract_maps(model, images, [gradcam], 1).maps[0][0].double()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)
    wrong = (summed.mean((2, 3), keepdim=True) * kept[0].detach()).sum(1).relu()
    assert (wrong - expected).norm() > 0.1 * expected.norm()


def test_what_runs_again_takes_one_image_of_those_that_attention_mixes() -> None:
    """A row of a chunk would see the others: each is run alone."""
    torch.manual_seed(0)
    model, images = AlongTheImages().eval(), torch.randn(3, 3, 8, 6)
    for named in ("scorecam", "smoothgradcampp", "ablationcam", "rise"):
        with pytest.raises(CamForgeError, match=r"the model mixes the images of a batch .* give one image"):
            extract_maps(model, images, [build("extractor", named)], 1)
    ablationcam = build("extractor", {"name": "ablationcam", "layers": ["patches"]})
    (found,) = extract_maps(model, images[:1], [ablationcam], 1).maps[0]
    torch.testing.assert_close(found.double(), ablation(model, images[:1], 1), rtol=1e-3, atol=1e-6)


def ablation(model: AlongTheImages, image: Tensor, target: int) -> Tensor:
    """Ablation-CAM at ``patches``, in float64, a channel at a time."""
    twin = copy.deepcopy(model).double()
    with torch.no_grad():
        values = twin.patches(image.double())
        score = twin(image.double())[0, target]
        drops = []
        for k in range(values.shape[1]):
            changed = values.clone()
            changed[:, k] = 0
            handle = twin.patches.register_forward_hook(lambda _m, _i, _o, changed=changed: changed)
            drops.append((score - twin(image.double())[0, target]) / score)
            handle.remove()
    return (torch.stack(drops)[:, None, None] * values[0]).sum(0, keepdim=True).relu()


class Noisy(AlongTheImages):
    """Random at each run: a dropout that is always on. An image beside another one gets other random numbers."""

    def tokens(self, x: Tensor) -> Tensor:
        tokens = super().tokens(x)
        return tokens * (torch.rand(*tokens.shape[1:], len(tokens)) > 0.3).movedim(-1, 0)


def runs_of(model: nn.Module, images: Tensor) -> list[int]:
    """The batch sizes of a pass of the model, once it is known where its maps lie."""
    runs, gradcam = list[int](), [build("extractor", {"name": "gradcam", "layers": ["patches"]})]
    extract_maps(model, images[:1], gradcam, 1)
    handle = model.patches.register_forward_hook(lambda _m, _i, out: runs.append(len(out)))
    for _ in range(2):
        extract_maps(model, images, gradcam, 1)
    handle.remove()
    return runs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_independent_images_are_not_taken_for_mixed_ones(dtype: torch.dtype) -> None:
    model, images = AlongTheImages(batch_first=True).eval().to(dtype), torch.randn(3, 3, 8, 6, dtype=dtype)
    assert runs_of(model, images) == [3, 1, 2, 3]  # looked for in the first pass of several images, with two forwards
    scorecam = build("extractor", {"name": "scorecam", "layers": ["patches"]})
    assert extract_maps(model, images, [scorecam], 1).maps[0][0].isfinite().all()


def test_of_a_random_model_it_cannot_be_told(unchanged) -> None:
    model, images = Noisy(batch_first=True).eval(), torch.randn(3, 3, 8, 6)
    check = unchanged(model)
    assert runs_of(model, images) == [3, 1, 2, 1, 3]
    check()


@pytest.mark.parametrize("count", [1, 3])
def test_to_look_for_mixing_draws_no_random_numbers_and_changes_nothing(unchanged, count: int) -> None:
    class Overwrites(AlongTheImages):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.mul_(2))

    model, images = Overwrites().eval(), torch.randn(count, 3, 8, 6)
    before, state, check = images.clone(), torch.get_rng_state(), unchanged(model)
    extract_maps(model, images, [build("extractor", {"name": "gradcam", "layers": ["patches"]})], 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, before)
    check()


def test_a_model_without_signal_tells_later_whether_it_mixes() -> None:
    """Such as before its weights are loaded."""
    model, images = AlongTheImages().eval(), torch.randn(2, 3, 8, 6)
    weights = copy.deepcopy(model.head.state_dict())
    for parameter in model.head.parameters():
        parameter.data.zero_()
    scorecam = [build("extractor", {"name": "scorecam", "layers": ["patches"]})]
    extract_maps(model, images, scorecam, 1)
    model.head.load_state_dict(weights)
    with pytest.raises(CamForgeError, match="the model mixes the images of a batch"):
        extract_maps(model, images, scorecam, 1)
