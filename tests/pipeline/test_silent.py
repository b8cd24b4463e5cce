"""Raw maps that say nothing are counted and named, however fusers hide them."""

import json
from pathlib import Path

import torch

import camforge
from camforge.pipeline.diagnostics import degenerate_maps
from camforge.store.stored_maps import StoredMaps, load_maps
from camforge.types import View


def view() -> View:
    return View("pets", ("cat", "dog"), (0, 1), 0)


def test_counted_over_layers_and_branches_and_named() -> None:
    asked = torch.tensor([[True, False], [True, True]])  # three maps: image a's cat, image b's cat and dog
    small, large = torch.ones(3, 2, 2), torch.ones(3, 4, 4)
    small[1], large[1] = 0, 0  # b's cat says nothing on any layer
    small[0] = 0  # a's cat is empty on one layer alone
    second = [torch.ones(3, 2, 2), torch.ones(3, 4, 4)]
    second[1][2, 0, 0] = torch.nan  # b's dog of the second branch
    found = degenerate_maps([StoredMaps(asked, ((small, large), tuple(second)))], [view()], ["a", "b"])
    assert (found.maps, found.empty, found.broken) == (6, 1, 1)
    assert found.examples == ("image 'b', 'cat' of 'pets'", "image 'b', 'dog' of 'pets'")
    assert str(found).startswith("1 zero everywhere and 1 not finite of 6 raw maps, such as image 'b', 'cat' of 'pets'")


def test_maps_that_all_say_something() -> None:
    maps = torch.ones(1, 2, 2)
    asked = torch.tensor([[True, False]])
    assert degenerate_maps([StoredMaps(asked, ((maps,),))], [view()], ["a"]) is None


def test_a_run_tells_them(tiny: Path, tmp_path: Path) -> None:
    overrides = ["trainer.epochs=1", "trainer.lr=1e-9", "extractor.truncate=99", "extractor.truncate_strict=true"]
    results = camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "w", device="cpu", quiet=True)
    told = json.loads((tmp_path / "w/results.json").read_text())["degenerate_raw_maps"]
    arm = next(arm for arm in results.report_data.arms if arm.name == "baseline")
    extracted = json.loads((tmp_path / "w/manifest.json").read_text())["stages"]["baseline"]["maps"][0]
    maps = load_maps(tmp_path / f"w/store/maps-{extracted}").maps[0][0][:]
    empty = int((maps == 0).flatten(1).all(1).sum())
    assert empty > 0
    assert told["baseline"]["empty"] == empty
    assert f"{empty} zero everywhere of {len(maps)} raw maps" in arm.remark
    assert arm.remark.split(", such as")[0] in results.report.read_text()
