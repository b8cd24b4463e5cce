"""The stack that fusers see, against one built pair by pair."""

import pytest
import torch
from torch.nn.functional import interpolate

from camforge.config.schema import Arm
from camforge.pipeline.fuse import MapFuser
from camforge.store.stored_maps import StoredMaps, everything
from camforge.types import CamForgeError, Grouping, Maps, View
from camforge_plugins.extractors.gradcam import GradCAM
from camforge_plugins.fusers.hierarchy import Hierarchy
from camforge_plugins.fusers.mean import Mean
from camforge_plugins.groupers.none import NoGrouping

CLASSES = ("cat", "dog", "bus")
GROUPING = Grouping(
    (
        View.identity(CLASSES),
        View.of_groups("animals", [[0, 1], [2]], CLASSES, 1),
        View("pair", ("cat", "bus"), (0, None, 1)),
    ),
    views_by_class=((0, 1, 2), (0, 1), (0, 1, 2)),
)
LABELS = torch.tensor([[True, True, False], [False, False, True], [False, True, True]])
SIZE = (6, 9)


def extracted(view: View, seed: int) -> StoredMaps:
    generator = torch.Generator().manual_seed(seed)
    asked = view.targets(LABELS)
    count = int(asked.sum())
    maps = tuple(
        tuple(torch.rand(count, *size, generator=generator) for size in ((3, 4), (6, 9))) for _branch in range(2)
    )
    return StoredMaps(asked, maps)


@pytest.fixture
def map_fuser() -> MapFuser:
    arm = Arm.model_construct(grouper=NoGrouping(), extractor=GradCAM(), fusers=())
    return MapFuser(
        "arm", arm.extractor, arm.fusers, GROUPING, [extracted(view, i) for i, view in enumerate(GROUPING.views)]
    )


def test_every_entry_of_the_stack_is_the_map_of_its_view_branch_and_layer(map_fuser: MapFuser) -> None:
    places = [2, 0]
    maps = map_fuser.stack(places, LABELS[places], LABELS[places], SIZE)
    assert maps.axes == ("view", "branch", "layer")
    assert list(zip(maps.images.tolist(), maps.classes.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 0), (1, 1)]
    for pair, (image, c) in enumerate(zip(maps.images.tolist(), maps.classes.tolist(), strict=True)):
        served = GROUPING.views_by_class[c]  # type: ignore[index]
        assert maps.valid[pair].tolist() == [slot < len(served) for slot in range(3)]
        for slot, v in enumerate(served):
            output = GROUPING.views[v].assignment[c]
            assert maps.outputs[pair, slot] == output
            # rows are counted image by image, output by output
            shown = GROUPING.views[v].targets(LABELS)
            row = int(shown[: places[image]].sum()) + int(shown[places[image], :output].sum())
            for branch in range(2):
                for layer in range(2):
                    source = map_fuser.stored[v].maps[branch][layer][row]
                    expected = interpolate(source[None, None].double(), SIZE, mode="bilinear")[0, 0]
                    torch.testing.assert_close(maps.values[pair, slot, branch, layer].double(), expected)


def test_an_axis_without_a_fuser_is_named(map_fuser: MapFuser) -> None:
    with pytest.raises(
        CamForgeError, match=r"arm 'arm': 2 maps are left on the 'layer' axis; add a fuser with axis='layer'"
    ):
        map_fuser.fused([0], LABELS[:1], torch.zeros(1, 3, *SIZE))


def test_fusers_reduce_axis_by_axis(map_fuser: MapFuser) -> None:
    fusers = tuple(Mean(axis=axis, normalise="none") for axis in ("layer", "branch", "view"))  # type: ignore[arg-type]
    arm = Arm.model_construct(grouper=NoGrouping(), extractor=GradCAM(), fusers=fusers)
    fused: Maps = MapFuser("arm", arm.extractor, arm.fusers, GROUPING, map_fuser.stored).fused(
        [0], LABELS[:1], torch.zeros(1, 3, *SIZE)
    )
    whole = map_fuser.stack([0], LABELS[:1], LABELS[:1], SIZE)
    cat, dog = whole.values[0].mean((0, 1, 2)), whole.values[1, :2].mean((0, 1, 2))  # dog has two views
    torch.testing.assert_close(fused.values, torch.stack([cat, dog]))


def test_all_classes_of_few_images_at_a_time_make_the_same_maps(
    map_fuser: MapFuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every class is fused with every other of its image, in parts of one image, of two, and as a whole."""
    views = Grouping((View.identity(CLASSES), View.of_groups("animals", [[0, 1], [2]], CLASSES, 1)))
    every = [
        StoredMaps(
            everything(3, len(view.outputs)),
            ((torch.rand(3 * len(view.outputs), 3, 4, generator=torch.Generator().manual_seed(i)),),),
        )
        for i, view in enumerate(views.views)
    ]
    fusers = (Hierarchy(rest="all_others"),)
    fuser = MapFuser("arm", map_fuser.extractor, fusers, views, every)
    images = torch.zeros(3, 3, *SIZE)
    whole = fuser.fused([0, 1, 2], LABELS, images)
    assert torch.stack([whole.images, whole.classes], 1).tolist() == LABELS.nonzero().tolist()
    for pairs in (3, 6):
        monkeypatch.setattr("camforge.pipeline.fuse.PAIRS", pairs)
        parts = fuser.fused([0, 1, 2], LABELS, images)
        for name in ("values", "images", "classes", "valid", "outputs"):
            assert torch.equal(getattr(parts, name), getattr(whole, name))
