"""Files of weights as people have them: wrappers, prefixes, values beside the weights; a head never stays random."""

import argparse
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from camforge import load_model
from camforge.api import CamForgeError, head_outputs, load_state_dict, read_state_dict
from camforge.host.registry import build
from camforge.pipeline.train import _weight_files
from camforge.weights import WeightsWarning
from camforge_plugins.backbones import Torchvision

State = dict[str, Tensor]


def network(outputs: int = 3) -> nn.Module:
    """A convolution, a batch norm and a head that is not last."""
    parts = {"head": nn.Linear(4, outputs), "conv": nn.Conv2d(3, 4, 3), "norm": nn.BatchNorm2d(4)}
    return nn.ModuleDict(parts)


@pytest.fixture
def state() -> State:
    torch.manual_seed(0)
    return network().state_dict()


def named(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


def parts(state: State, head: str, body: str) -> State:
    return {(head if name.startswith("head") else body) + name: value for name, value in state.items()}


WRAPPED = {
    "plain": lambda s: s,
    "ordered": lambda s: OrderedDict(s),
    "module.": lambda s: named(s, "module."),
    "state_dict": lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}},
    "model": lambda s: {"model": s, "args": argparse.Namespace(lr=0.1)},
    "net": lambda s: {"net": s, "acc": np.float64(0.7)},
    "model_state_dict": lambda s: {"model_state_dict": named(s, "module._orig_mod."), "optimizer_state_dict": {}},
    "lightning": lambda s: {"state_dict": named(s, "model.") | {"loss.weight": torch.ones(3)}, "callbacks": {}},
    "lightning net": lambda s: {"state_dict": named(s, "net."), "pytorch-lightning_version": "2.0"},
    "compiled": lambda s: named(s, "_orig_mod."),
    "fsdp": lambda s: named(s, "_fsdp_wrapped_module."),
    "averaged": lambda s: {"n_averaged": torch.tensor(5)} | named(s, "module."),
    "epoch beside": lambda s: {"epoch": 4, "best": 0.5, "step": torch.tensor(7), **s},
    "own prefix": lambda s: named(s, "encoder.trunk."),
    "two parts": lambda s: parts(s, "cls_head.", "backbone."),
    "inside": lambda s: {"checkpoint": {"state_dict": s}, "meta": {"version": 1}},
    "ema alone": lambda s: {"ema": s},
    "ema beside it": lambda s: named(s, "model.") | {f"ema_model.{n}": 2 * v for n, v in s.items()},
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_everyday_files_are_read(state: State, tmp_path: Path, wrapper: str) -> None:
    torch.save(WRAPPED[wrapper](state), tmp_path / "a.pt")
    given = read_state_dict(tmp_path / "a.pt")
    assert head_outputs(given, network(7), "head") == 3
    model = network()
    load_state_dict(model, given, "head", "weights", new_head=False)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_safetensors_whatever_the_file_is_called(state: State, tmp_path: Path) -> None:
    for name in ("model.safetensors", "model.bin"):
        save_file(named(state, "model."), tmp_path / name)
        given = read_state_dict(tmp_path / name)
        model = network()
        load_state_dict(model, given, "head", "weights", new_head=False)
        assert torch.equal(model.state_dict()["conv.weight"], state["conv.weight"])
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "model.bin").read_bytes()[:-50])
    with pytest.raises(CamForgeError, match=r"weights '.*cut\.safetensors' cannot be read: "):
        read_state_dict(tmp_path / "cut.safetensors")


def test_averaged_weights_beside_the_plain_ones_are_told_and_can_be_named(state: State, tmp_path: Path) -> None:
    torch.save({"model": state, "model_ema": {n: 2 * v for n, v in state.items()}}, tmp_path / "a.pt")
    with pytest.warns(WeightsWarning, match=r"model is read; for the averaged ones give a\.pt:model_ema"):
        given = read_state_dict(tmp_path / "a.pt")
    assert torch.equal(given["conv.weight"], state["conv.weight"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        averaged = read_state_dict(f"{tmp_path / 'a.pt'}:model_ema")
    assert torch.equal(averaged["conv.weight"], 2 * state["conv.weight"])


def test_several_networks_in_a_file_must_be_told_apart(state: State, tmp_path: Path) -> None:
    torch.save({"student": state, "teacher": {n: v + 1 for n, v in state.items()}}, tmp_path / "a.pt")
    with pytest.raises(CamForgeError, match=r"hold student, teacher: name one, as in a\.pt:teacher"):
        read_state_dict(tmp_path / "a.pt")
    assert torch.equal(read_state_dict(f"{tmp_path / 'a.pt'}:teacher")["conv.bias"], state["conv.bias"] + 1)
    with pytest.raises(CamForgeError, match="hold nothing called 'pupil'; they hold student, teacher"):
        read_state_dict(f"{tmp_path / 'a.pt'}:pupil")
    pair = named(state, "encoder_q.") | named(state, "encoder_k.")
    torch.save(pair, tmp_path / "b.pt")
    with pytest.raises(CamForgeError, match="hold the network 2 times, under encoder_q, encoder_k: name one"):
        load_state_dict(network(), read_state_dict(tmp_path / "b.pt"), "head", "weights", new_head=True)
    load_state_dict(network(), read_state_dict(f"{tmp_path / 'b.pt'}:encoder_k"), "head", "weights", new_head=False)


def test_a_head_is_never_left_random_unless_it_may(state: State) -> None:
    headless = {name: value for name, value in state.items() if not name.startswith("head")}
    assert head_outputs(headless, network(), "head") is None
    model, own = network(), None
    own = model.state_dict()["head.weight"].clone()
    with pytest.raises(CamForgeError, match=r"another architecture: missing: head\.weight, head\.bias"):
        load_state_dict(model, headless, "head", "weights", new_head=False)
    load_state_dict(model, headless, "head", "weights", new_head=True)
    assert torch.equal(model.state_dict()["head.weight"], own)
    with pytest.raises(CamForgeError, match=r"of another shape: head\.weight 3x4 instead of 5x4"):
        load_state_dict(network(5), state, "head", "weights", new_head=False)


def test_a_program_is_no_state_dict(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "program.pt")
    with pytest.raises(CamForgeError, match=r"program\.pt' are a TorchScript program; save the model's state_dict"):
        read_state_dict(tmp_path / "program.pt")


@pytest.fixture(scope="module")
def squeezenet() -> State:
    return Torchvision(arch="squeezenet1_1").build(3).body.state_dict()


def test_explained_networks_have_the_head_of_their_file(squeezenet: State, tmp_path: Path) -> None:
    head = {name: value for name, value in squeezenet.items() if name.startswith("classifier")}
    body = {name: value for name, value in squeezenet.items() if name not in head}
    torch.save(head | body, tmp_path / "first.pt")
    torch.save({"net": named(squeezenet, "module.")}, tmp_path / "nested.pt")
    save_file(squeezenet, tmp_path / "a.safetensors")
    for name in ("first.pt", "nested.pt", "a.safetensors"):
        found = load_model("squeezenet1_1", tmp_path / name).state_dict()
        assert all(torch.equal(found[key], value) for key, value in squeezenet.items())
    torch.save(body, tmp_path / "headless.pt")
    with pytest.raises(CamForgeError, match=r"headless\.pt' hold no head for it, which would stay random"):
        load_model("squeezenet1_1", tmp_path / "headless.pt")


def test_published_weights_tell_their_outputs_without_a_download() -> None:
    assert Torchvision(arch="resnet18", weights="IMAGENET1K_V1").trained_outputs() == 1000
    assert Torchvision(arch="resnet18").trained_outputs() is None


def test_what_a_named_file_holds_is_part_of_the_key(tmp_path: Path) -> None:
    file = tmp_path / "last.pt"
    found = []
    for content in (b"one", b"another"):
        file.write_bytes(content)
        for weights in (str(file), f"{file}:ema"):
            backbone = {"name": "torchvision", "arch": "resnet18", "weights": weights}
            found.append(_weight_files(build("trainer", {"name": "single", "backbone": backbone})))  # type: ignore[arg-type]
    one, ema, other, other_ema = found
    assert one == ema
    assert other == other_ema
    assert one.keys() == other.keys() == {"last.pt"}
    assert one != other


def test_what_a_named_folder_holds_is_part_of_the_key(tmp_path: Path) -> None:
    trainer = build("trainer", {"name": "single", "backbone": {"name": "transformers", "arch": str(tmp_path)}})
    found = []
    for content in (b"one", b"another"):
        (tmp_path / "model.safetensors").write_bytes(content)
        found.append(_weight_files(trainer))  # type: ignore[arg-type]
    assert found[0].keys() == found[1].keys() == {"model.safetensors"}
    assert found[0] != found[1]
