"""A model is safe in a pass: threads wait for one another, signals leave nothing behind, odd weights come back."""

import gc
import multiprocessing
import random
import signal
import threading
import time
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import camforge
from camforge import CamForgeError, build
from camforge.capture import extract_maps


class Small(nn.Module):
    """Two convolutions with batch norm, global average pooling, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Dropout(0.5),
        )  # fmt: skip
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


LAST = {"name": "gradcam", "layers": ["body.5"]}


def first_map(model: nn.Module, images: Tensor, name: object, targets: object = 0) -> Tensor:
    (found,) = extract_maps(model, images, [build("extractor", name)], targets).maps[0]
    return found


def in_threads(*work: Callable[[], None]) -> None:
    failed: list[BaseException] = []

    def guarded(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("name", ["gradcam", "layercam", "ablationcam"])
@pytest.mark.parametrize("shared", ["model", "wrapped", "part"])
def test_threads_take_turns_with_one_model(unchanged, name: str, shared: str) -> None:
    """Whether both have the model, one a wrapper of it, or one a part of the other's."""
    model = Small().train()
    other: nn.Module = model
    if shared == "wrapped":
        other = nn.DataParallel(model)
    elif shared == "part":
        other = nn.Sequential(nn.Identity(), model)
    batches = [torch.randn(2, 3, 9, 9) for _ in range(2)]
    layers = ("body.5", "1.body.5" if shared == "part" else "body.5")
    options = [{"name": name, "layers": [layer]} for layer in layers]
    expected = [first_map(m, x, o) for m, x, o in zip((model, other), batches, options, strict=True)]
    check = unchanged(model)
    wrong = []

    def work(number: int, which: nn.Module) -> None:
        for _ in range(15):
            found = first_map(which, batches[number], options[number])
            wrong.extend([number] if not torch.equal(found, expected[number]) else [])

    in_threads(lambda: work(0, model), lambda: work(1, other))
    assert wrong == []
    check()


def test_two_models_do_not_wait_for_one_another(images) -> None:
    """Inside a pass through the first, another thread passes through the second."""
    first, second, reached = Small(), Small(), []

    def meanwhile(*_: object) -> None:
        in_threads(lambda: reached.append(first_map(second, images, LAST).shape))

    first.body[3].register_forward_hook(meanwhile)
    first_map(first, images, LAST)
    assert reached


def test_a_hook_may_explain_the_model_that_runs(images, unchanged) -> None:
    model, inner = Small().train(), []
    expected = first_map(model, images, "layercam")

    def explain(*_: object) -> None:
        if not inner:
            inner.append(None)
            inner[0] = first_map(model, images, "layercam")

    model.body[0].register_forward_hook(explain)
    check = unchanged(model)
    outer = first_map(model, images, "layercam")
    check()
    assert torch.equal(outer, expected)
    assert torch.equal(inner[0], expected)


def interrupted(run: Callable[[], object], after: float, error: type[BaseException]) -> bool:
    """Whether a signal's handler that raises ``error`` came before the end of ``run()``."""

    def handler(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        run()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except error:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return False


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("name", ["gradcam", "scorecam", "ablationcam", "fullgrad"])
def test_nothing_is_left_by_a_signal_at_any_moment(images, unchanged, name: str, error: type[BaseException]) -> None:
    model = Small().train()
    model.body[0].weight.requires_grad_(False)
    model.body[3].register_forward_hook(lambda *_: None)
    moments = random.Random(0)
    first_map(model, images, name)
    start = time.perf_counter()
    first_map(model, images, name)
    took = time.perf_counter() - start
    check = unchanged(model)
    hits = 0
    for _ in range(30):
        with torch.no_grad():
            hits += interrupted(lambda: first_map(model, images, name), moments.uniform(1e-5, took), error)
            assert not torch.is_grad_enabled()
        check()
    assert hits


def test_inference_mode_is_left_by_a_signal_at_any_moment(unchanged) -> None:
    """Up to the layer that is read, torchvision's networks run in it."""
    model, moments = torchvision.models.squeezenet1_1(num_classes=5).eval(), random.Random(0)
    images = torch.randn(2, 3, 64, 64)
    first_map(model, images, "gradcam")
    start = time.perf_counter()
    first_map(model, images, "gradcam")
    took, check, hits = time.perf_counter() - start, unchanged(model), 0
    for _ in range(30):
        hits += interrupted(lambda: first_map(model, images, "gradcam"), moments.uniform(1e-5, took), TimeoutError)
        assert not torch.is_inference_mode_enabled()
        check()
    assert hits


def test_a_signal_while_the_state_is_put_back_does_not_stop_that(images, unchanged, monkeypatch) -> None:
    from camforge.capture.model import borrowing

    model, restore, calls = Small().train(), borrowing._State.restore, []

    def halfway(state: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        restore(state)

    monkeypatch.setattr(borrowing._State, "restore", halfway)
    check = unchanged(model)
    with pytest.raises(KeyboardInterrupt):
        first_map(model, images, "gradcam")
    check()


def _in_child(model: nn.Module, images: Tensor, expected: Tensor, answer: object) -> None:
    torch.set_num_threads(1)
    answer.put(bool(torch.allclose(first_map(model, images, LAST), expected)))


def test_a_forked_process_has_no_locks_of_threads_that_are_gone(images) -> None:
    """The fork comes while another thread holds the model."""
    model = Small()
    expected = first_map(model, images, LAST)
    context, inside, go_on = multiprocessing.get_context("fork"), threading.Event(), threading.Event()
    answer = context.Queue()

    def wait(*_: object) -> None:
        inside.set()
        go_on.wait(30)

    handle = model.body[0].register_forward_hook(wait)
    holder = threading.Thread(target=lambda: first_map(model, images, LAST))
    holder.start()
    inside.wait(30)
    again = Small()
    again.load_state_dict(model.state_dict())
    child = context.Process(target=_in_child, args=(again, images, expected, answer), daemon=True)
    child.start()
    assert answer.get(timeout=60) is True
    go_on.set()
    holder.join()
    child.join()
    handle.remove()


def test_many_passes_leave_nothing_in_memory(images) -> None:
    model, extractor = Small(), build("extractor", "layercam")
    for _ in range(5):
        extract_maps(model, images, [extractor], 0)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(300):
            extract_maps(model, images, [extractor], 0)
        assert len(gc.get_objects()) - before < 50
    finally:
        gc.enable()


def _pruned(convolution: nn.Conv2d) -> nn.Module:
    return prune.l1_unstructured(convolution, "weight", 0.5)


NORMS = [weight_norm, spectral_norm, _pruned, parametrizations.weight_norm, parametrizations.spectral_norm]


@pytest.mark.parametrize("change", NORMS)
@pytest.mark.parametrize("name", ["gradcam", "ltgradcam", "ltlayercam", "refinecam", "fullgrad", "ablationcam"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_are_computed(images, unchanged, change: Callable[[nn.Conv2d], nn.Module], name: str) -> None:
    """The maps are those of a plain convolution with that weight; the weight with its graph is there afterwards."""
    model, plain = Small().eval(), Small().eval()
    change(model.body[3])
    model(images).sum().backward()
    with torch.no_grad():
        for own, other in ((model.body[0], plain.body[0]), (model.head, plain.head)):
            other.load_state_dict(own.state_dict())
        plain.body[3].weight.copy_(model.body[3].weight)
        plain.body[3].bias.copy_(model.body[3].bias)
    kept = vars(model.body[3]).get("weight")
    graph = None if kept is None else kept.grad_fn
    check = unchanged(model)
    layers = {"layers": ["body.2", "body.5"]} if name.startswith("lt") else {}
    if name in ("gradcam", "ablationcam"):
        layers = {"layers": ["body.5"]}
    found, expected = (first_map(m, images, {"name": name, **layers}) for m in (model, plain))
    torch.testing.assert_close(found, expected)
    check()
    assert vars(model.body[3]).get("weight") is kept
    if kept is not None:
        assert kept.grad_fn is graph


def test_a_model_made_in_inference_mode(images) -> None:
    with torch.inference_mode():
        model = Small()
    plain = Small()
    plain.load_state_dict(model.state_dict())
    identities = [id(tensor) for tensor in (*model.parameters(), *model.buffers())]
    for name in ("gradcam", "layercam", "fullgrad", "ablationcam"):
        torch.testing.assert_close(first_map(model, images, name), first_map(plain, images, name))
    assert [id(tensor) for tensor in (*model.parameters(), *model.buffers())] == identities
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_a_backbone_whose_gradients_the_model_switches_off(images, unchanged, off) -> None:
    """A linear probe: nothing but the head is trained, yet the maps are those of the same network with gradients."""

    class Probe(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU()), nn.Linear(6, 4)

        def forward(self, x: Tensor, switch=off) -> Tensor:
            with switch():
                x = self.backbone(x)
            return self.head(x.mean((2, 3)).tanh())

    class Plain(Probe):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x, torch.enable_grad)

    probe, plain = Probe().eval(), Plain().eval()
    plain.load_state_dict(probe.state_dict())
    check, layercam = unchanged(probe), {"name": "layercam", "layers": ["backbone"]}
    maps = camforge.explain(probe, images, 1, layercam).maps
    check()
    assert maps.abs().max() > 0
    torch.testing.assert_close(maps, camforge.explain(plain, images, 1, layercam).maps)


def test_lazy_layers_that_have_not_run_are_one_line(images) -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3))
    with pytest.raises(CamForgeError, match="lazy layers, which have no weights before they run"):
        camforge.explain(model, images, 1)
    assert isinstance(model[0].weight, nn.UninitializedParameter)
    model(images)
    assert camforge.explain(model, images, 1).maps.shape == (len(images), *images.shape[2:])


def test_buffers_that_a_forward_changes_come_back(images) -> None:
    """In place or replaced, in the first pass and in later ones."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Small()
            self.register_buffer("calls", torch.zeros(()))
            self.register_buffer("last", torch.zeros(2))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.last = x.detach().flatten()[:2]
            return self.inner(x)

    model = Counting().eval()
    last = model.last
    for _ in range(3):
        first_map(model, images, {"name": "gradcam", "layers": ["inner.body.5"]})
        assert model.calls == 0
        assert model.last is last
        assert torch.equal(last, torch.zeros(2))


class Recurrent(nn.Module):
    """Features read row by row by an LSTM with dropout between its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.rnn = nn.LSTM(5, 4, num_layers=2, dropout=0.5, batch_first=True)
        self.head = nn.Linear(4, 3)
        self.modes: list[tuple[bool, float]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append((self.rnn.training, self.rnn.dropout))
        return self.head(self.rnn(self.conv(x).flatten(2).transpose(1, 2))[0][:, -1])


@pytest.mark.filterwarnings("ignore:dropout option")
def test_a_recurrent_head_is_read_as_in_eval_mode(images) -> None:
    """cudnn has no backward for recurrent layers in eval mode: they run in training mode, but without dropout."""
    model = Recurrent().eval()
    kept: list[Tensor] = []
    handle = model.conv.register_forward_hook(lambda _m, _i, out: kept.append(out))
    score = model(images)[:, 1].sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept[0])
    expected = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1).relu()
    torch.testing.assert_close(first_map(model, images, {"name": "gradcam", "layers": ["conv"]}, 1), expected.detach())
    assert model.modes[-1] == (True, 0.0)
    assert (model.rnn.training, model.rnn.dropout) == (False, 0.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["scorecam", "sscam", "iscam", "ablationcam"])
def test_re_runs_in_half_precision(images, name: str, dtype: torch.dtype) -> None:
    model, options = Small().eval(), {"name": name, "layers": ["body.5"]}
    if name == "sscam":
        options |= {"samples": 2}
    whole = first_map(model, images, options)
    found = first_map(model.to(dtype), images.to(dtype), options)
    assert found.dtype == torch.float32
    assert (found - whole).abs().max() < 0.05 * whole.abs().max()


@pytest.mark.parametrize("name", ["gradcam", "fullgrad", "scorecam", "ablationcam", "smoothgradcampp"])
def test_a_model_that_normalises_its_images_in_place(images, name: str) -> None:
    class Normalising(nn.Module):
        def __init__(self, inner: nn.Module, in_place: bool) -> None:
            super().__init__()
            self.inner, self.in_place = inner, in_place

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.sub_(0.5).div_(0.25) if self.in_place else (x - 0.5) / 0.25)

    inner, given = Small().eval(), images.clone()
    options: dict[str, object] = {"name": name}
    if name != "fullgrad":
        options["layers"] = ["inner.body.5"]
    expected = first_map(Normalising(inner, False), images, options)
    torch.testing.assert_close(first_map(Normalising(inner, True), given, options), expected)
    assert torch.equal(given, images)
