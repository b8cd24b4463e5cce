"""The pass on a GPU: no waiting in between, all targets in one product, recurrent heads, chunks within the memory."""

import warnings

import pytest
import torch
import torchvision
from torch import Tensor, nn

from camforge import build
from camforge.capture import extract_maps
from camforge.capture.rerun import in_chunks


@pytest.fixture
def resnet(device: torch.device) -> nn.Module:
    return torchvision.models.resnet18(num_classes=7).eval().to(device)


@pytest.mark.parametrize("targets", [3, [[0, 1, 2], [3, 4]]])
def test_the_host_waits_for_the_device_only_at_the_end(resnet, device, targets) -> None:
    """In the second pass, which finds all that the first one looked for: one read, whether the logits were finite."""
    images, extractors = torch.randn(2, 3, 64, 64, device=device), [build("extractor", "gradcam")]
    extract_maps(resnet, images, extractors, targets)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            extract_maps(resnet, images, extractors, targets)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len([one for one in told if "synchroniz" in str(one.message)]) <= 1


def test_many_targets_are_those_of_one_at_a_time(resnet, device) -> None:
    images, extractors = torch.randn(3, 3, 64, 64, device=device), [build("extractor", "gradcam")]
    together = extract_maps(resnet, images, extractors, [list(range(7))] * 3).maps[0][0].unflatten(0, (3, 7))
    for target in range(7):
        (alone,) = extract_maps(resnet, images, extractors, target).maps[0]
        torch.testing.assert_close(together[:, target], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(resnet, device, dtype: torch.dtype) -> None:
    images, extractor = torch.randn(2, 3, 64, 64, device=device), build("extractor", "gradcam")
    (whole,) = extract_maps(resnet, images, [extractor], 1).maps[0]
    with torch.autocast("cuda", dtype):
        (found,) = extract_maps(resnet, images, [extractor], 1).maps[0]
    assert found.dtype == torch.float32
    assert (found - whole).abs().max() < 0.1 * whole.abs().max()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_heads_in_eval_mode(device, kind: type[nn.RNNBase]) -> None:
    class Read(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.rnn = nn.Conv2d(3, 5, 3), kind(5, 4, num_layers=2, dropout=0.5, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rnn(self.conv(x).flatten(2).transpose(1, 2))[0][:, -1])

    model, images = Read().eval().double(), torch.randn(2, 3, 9, 9).double()
    extractor = build("extractor", {"name": "gradcam", "layers": ["conv"]})
    (expected,) = extract_maps(model, images, [extractor], 1).maps[0]
    (found,) = extract_maps(model.to(device), images.to(device), [extractor], 1).maps[0]
    torch.testing.assert_close(found.cpu(), expected)
    assert not model.rnn.training


def test_chunks_are_halved_where_memory_really_runs_out(device) -> None:
    """Rows of 1 GiB each, in a quarter of the card's memory."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 6 * 2**30 / total), device)
    rows: list[int] = []

    def run(start: int, stop: int) -> Tensor:
        rows.append(stop - start)
        return torch.ones(stop - start, 2**28, device=device).sum(1)

    try:
        found = torch.cat(list(in_chunks(0, 16, 16, run)))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert found.tolist() == [2**28] * 16
    assert rows[0] == 16
    assert rows[-1] < 6


def test_score_cam_in_a_chunk_too_large_for_the_card(resnet, device) -> None:
    torch.cuda.empty_cache()
    images, options = torch.randn(1, 3, 64, 64, device=device), {"name": "scorecam", "layers": ["layer2"]}
    (expected,) = extract_maps(resnet, images, [build("extractor", options)], 1).maps[0]
    total = torch.cuda.get_device_properties(device).total_memory
    held = torch.cuda.memory_reserved(device)
    torch.cuda.set_per_process_memory_fraction(min(1.0, (held + 64 * 2**20) / total), device)
    try:
        greedy = build("extractor", options | {"max_memory": 2**20})
        (found,) = extract_maps(resnet, images, [greedy], 1).maps[0]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
