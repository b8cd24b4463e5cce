"""Re-runs of the network and of its tail."""

import pytest
import torch
from torch import Tensor, nn

from camforge import CamForgeError
from camforge.capture.forward import Runner
from camforge.capture.layers import ModelLayers
from camforge.capture.rerun import in_chunks
from camforge.capture.tail import Tail


def tail_of(model: nn.Module, layer: str, images: Tensor) -> Tail:
    return Tail.of(Runner(ModelLayers(model, (images,)), None, create_graph=False), layer, (images,))


def with_output(model: nn.Module, layer: str, images: Tensor, values: Tensor, call: int) -> Tensor:
    """The whole network with one call's output replaced."""
    calls = []

    def replace(_module: nn.Module, _inputs: object, _output: Tensor) -> Tensor | None:
        calls.append(1)
        return values.clone() if len(calls) == call + 1 else None

    handle = model.get_submodule(layer).register_forward_hook(replace)
    with torch.no_grad():
        logits = model(images)
    handle.remove()
    return logits


CALLS = [("conv1", 0), ("bn1", 0), ("relu#0", 0), ("bn2", 0), ("relu#1", 1), ("head.1", 0)]


@pytest.mark.parametrize("inplace", [0, 1])
@pytest.mark.parametrize(("layer", "call"), CALLS)
def test_tail_equals_the_whole_network(residual_pair, images, unchanged, layer: str, call: int, inplace: int) -> None:
    model = residual_pair[inplace].eval()
    check = unchanged(model)
    tail = tail_of(model, layer, images)
    for image in range(3):
        values = torch.randn(4, *tail.value_of(image).shape[1:])
        with torch.no_grad():
            found = tail.logits(image, values.clone())
        many = images[image : image + 1].expand(4, -1, -1, -1)
        torch.testing.assert_close(found, with_output(model, layer.partition("#")[0], many, values, call))
    check()


def test_tail_runs_only_what_lies_behind(images) -> None:
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU())

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.trunk, self.head = nn.Conv2d(3, 3, 1), trunk, nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.trunk(self.stem(x)).mean((2, 3)))

    model, ran = Net(), []
    tail = tail_of(model, "trunk.2", images)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            original = module._conv_forward
            module._conv_forward = lambda *args, name=name, original=original: ran.append(name) or original(*args)
    tail.logits(0, torch.randn(2, 5, 3, 1))
    assert ran == []


def test_a_shared_sequential_is_told_apart(images) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.block(self.block(x)).mean((2, 3)))

    model = Twice().eval()
    values = torch.randn(2, 3, 7, 5)
    for call in (0, 1):
        found = tail_of(model, f"block.1#{call}", images).logits(2, values)
        torch.testing.assert_close(found, with_output(model, "block.1", images[2:].expand(2, -1, -1, -1), values, call))


def test_a_layer_that_is_not_on_the_way_is_an_error(images) -> None:
    model = nn.ModuleDict({"used": nn.Linear(1, 1)})

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.unused = nn.Conv2d(3, 2, 3), model

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x).mean((2, 3))

    with pytest.raises(CamForgeError, match=r"'unused\.used' is not called"):
        tail_of(Net(), "unused.used", images)


def test_chunks_are_halved_when_memory_runs_out() -> None:
    tried: list[tuple[int, int]] = []

    def run(start: int, stop: int) -> Tensor:
        tried.append((start, stop))
        if stop - start > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.arange(start, stop)

    assert torch.cat(list(in_chunks(1, 12, 8, run))).tolist() == list(range(1, 12))
    assert tried == [(1, 9), (1, 5), (1, 3), (3, 5), (5, 7), (7, 9), (9, 11), (11, 12)]


def test_chunks_do_not_hide_other_errors_nor_a_single_row_that_does_not_fit() -> None:
    def wrong(_start: int, _stop: int) -> Tensor:
        raise RuntimeError("shapes differ")

    def too_large(_start: int, _stop: int) -> Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(in_chunks(0, 4, 2, wrong))
    with pytest.raises(RuntimeError, match="can't allocate"):
        list(in_chunks(0, 4, 2, too_large))
