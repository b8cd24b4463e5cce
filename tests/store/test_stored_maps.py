"""Raw maps on the disk: which row belongs to which image and output, and what of all outputs takes room."""

from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from camforge.store.stored_maps import MapWriter, StoredMaps, everything, load_maps

SOME = torch.tensor([[True, False, True], [False, False, False], [False, True, False], [True, True, True]])


def written(folder: Path, asked: Tensor) -> tuple[StoredMaps, list[Tensor], Tensor]:
    """Two branches of two layers, in batches of three images and one; what was written, and the logits."""
    generator = torch.Generator().manual_seed(0)
    count = int(asked.sum())
    layers = [torch.rand(count, 2, 3, generator=generator), torch.rand(count, 5, 4, generator=generator)]
    logits = torch.rand(2, *asked.shape, generator=generator)
    writer, first = MapWriter(folder, asked), int(asked[:3].sum())
    for branch, images in product(range(2), (slice(0, 3), slice(3, 4))):
        rows = slice(0, first) if images.start == 0 else slice(first, None)
        writer.append(branch, [maps[rows] + branch for maps in layers], logits[branch, images])
    writer.close()
    return load_maps(folder), layers, logits


@pytest.mark.parametrize("asked", [SOME, everything(4, 3), torch.ones(4, 3, dtype=torch.bool)])
def test_every_map_is_found_at_its_image_and_output(asked: Tensor, tmp_path: Path) -> None:
    stored, layers, logits = written(tmp_path / "maps", asked)
    expected, row = torch.full((4, 3), -1), 0
    for image, output in product(range(4), range(3)):  # image by image, outputs in order
        if asked[image, output]:
            expected[image, output] = row
            assert stored.pair(row) == (image, output)
            row += 1
    assert torch.equal(stored.rows(range(4)), expected)
    assert torch.equal(stored.rows(torch.tensor([3, 0])), expected[[3, 0]])
    for branch, layer in product(range(2), range(2)):
        assert len(stored.maps[branch][layer]) == row
        assert torch.equal(stored.maps[branch][layer][torch.tensor([row - 1, 0])], layers[layer][[-1, 0]] + branch)
        assert torch.equal(stored.maps[branch][layer][1:3], layers[layer][1:3] + branch)
    assert torch.equal(stored.mean_logits([2, 1]), logits[:, [2, 1]].mean(0))


def test_all_outputs_take_no_table(tmp_path: Path) -> None:
    """Maps and logits alone have a size that grows with images and outputs."""
    asked = everything(1000, 1000)
    assert asked.untyped_storage().nbytes() == 1
    writer = MapWriter(tmp_path / "maps", asked)
    writer.append(0, [torch.zeros(1, 1, 1)])
    writer.close()
    assert sum(path.stat().st_size for path in (tmp_path / "maps").iterdir()) < 4000
    stored = load_maps(tmp_path / "maps")
    assert isinstance(stored.asked, Tensor)
    assert stored.asked.untyped_storage().nbytes() == 1
    assert stored.rows([999])[0, 999] == 999_999
    assert stored.pair(123_456) == (123, 456)


def test_no_map_at_all(tmp_path: Path) -> None:
    stored, _, _ = written(tmp_path / "maps", torch.zeros(4, 3, dtype=torch.bool))
    assert stored.maps[0][1][:].shape == (0, 5, 4)
    assert torch.equal(stored.rows([0, 3]), torch.full((2, 3), -1))


def test_what_0_1_has_kept_is_read(tmp_path: Path) -> None:
    stored, layers, logits = written(tmp_path / "maps", SOME)
    index = torch.load(tmp_path / "maps/index.pt", weights_only=True)
    old = {"rows": stored.rows(range(4)), "shapes": index["shapes"], "logits": logits.mean(0)}
    torch.save(old, tmp_path / "maps/index.pt")
    (tmp_path / "maps/asked.bool").unlink()
    again = load_maps(tmp_path / "maps")
    assert torch.equal(again.rows(range(4)), old["rows"])
    assert torch.equal(again.maps[1][0][:], layers[0] + 1)
    assert torch.equal(again.mean_logits([1, 2]), logits[:, 1:3].mean(0))
