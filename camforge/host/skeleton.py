"""``camforge plugins new``: a small distribution with one plugin and its tests."""

from __future__ import annotations

import re
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

from camforge.host.registry import registry
from camforge.interfaces import KINDS
from camforge.interfaces.base import choices
from camforge.types import CamForgeError

_PYPROJECT = Template("""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "camforge-$dashed"
version = "0.1.0"
description = "$summary"
requires-python = ">=3.11"
dependencies = ["camforge"]

[project.entry-points.camforge]
$name = "camforge_$name"

[tool.hatch.build.targets.wheel]
only-include = ["camforge_$name.py"]

[tool.pytest.ini_options]
pythonpath = ["."]
""")

_MODULE = Template('''\
"""$summary"""

$imports

class $title($base):
    """$doc"""

    name = "$name"
    api = "2.0"

$body

@hookimpl
def camforge_${kind}s():
    """What this distribution adds to CamForge."""
    return [$title]
''')

_TEST = Template('''\
"""Every contract of a $kind, run on $title."""

from camforge.testing import ${contract}
from camforge_$name import $title


class Test$title(${contract}):
    cases = ($cases,)
''')

_README = Template("""\
# camforge-$dashed

$summary After `pip install .` it is there as `$name`: see `camforge plugins show $name`.
""")

# Per kind: what the module imports, the base class, the docstring, the body, and the instances that are tested.
_KINDS: dict[str, tuple[str, str, str, str, str]] = {
    "extractor": (
        "from camforge.api import GradientExtractor, hookimpl\n",
        "GradientExtractor",
        "$title: ReLU(sum_k ReLU(dy/dA_k) * A_k). Say here which paper and equation it is.",
        """\
    def cam(self, activations, gradients):  # (P, C, h, w) each -> (P, h, w)
        return (gradients.relu() * activations).sum(1).relu()
""",
        '$title(), $title(layers="stages"), $title(truncate=50)',
    ),
    "fuser": (
        "from camforge.api import Fuser, hookimpl\n",
        "Fuser",
        "The largest value along an axis. Say here what it is for.",
        """\
    def fuse(self, values, maps):  # (P, n, ..., H, W) -> (P, ..., H, W)
        if self.axis == "view":  # some classes have fewer views than others
            there = maps.valid.reshape(*maps.valid.shape, *(1 for _ in values.shape[2:]))
            values = values.where(there, -float("inf"))
        return values.amax(1)
""",
        '$title(axis="view"), $title(axis="layer", normalise="max")',
    ),
    "metric": (
        "import torch\n\nfrom camforge.api import Metric, hookimpl\n",
        "Metric",
        "The mean value of the maps. Say here what is measured, in which unit.",
        """\
    def update(self, metric_input):
        means = metric_input.maps.double().mean((1, 2))
        return torch.stack([means.sum(), torch.tensor(float(len(means)), dtype=torch.float64, device=means.device)])

    def compute(self, total, classes):
        return {self.name: float(total[0] / total[1].clamp(min=1))}
""",
        "$title()",
    ),
    "grouper": (
        "from camforge.api import Grouper, Grouping, View, hookimpl\n",
        "Grouper",
        "The classes in two halves, beside the ungrouped view.",
        """\
    def group(self, context):
        n = len(context.classes)
        halves = [list(range(n // 2)), list(range(n // 2, n))]
        level = View.of_groups("halves", halves, context.classes, level=1)
        return Grouping((View.identity(context.classes), level), {"halves": halves})
""",
        "$title()",
    ),
    "trainer": (
        "from torch.nn.functional import binary_cross_entropy_with_logits\n\n"
        "from camforge.api import Learner, Trainer, hookimpl\n\n\n"
        "class Loss(Learner):\n"
        '    """Binary cross entropy on every output."""\n\n'
        "    def losses(self, images, targets):\n"
        '        return {"loss": binary_cross_entropy_with_logits(self.networks[0](images), targets)}\n',
        "Trainer",
        "One network under binary cross entropy. Say here what is learned.",
        """\
    def learner(self, outputs, pretrained=True):
        return Loss([self.backbone.build(outputs, pretrained)])
""",
        '$title.model_validate({"backbone": small_backbone()})',
    ),
    "backbone": (
        "from torch import nn\n\nfrom camforge.api import Backbone, Network, hookimpl\n",
        "Backbone",
        "A single convolution, pooled.",
        """\
    width: int = 8

    def build(self, outputs, pretrained=True):
        pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        body = nn.Sequential(nn.Conv2d(3, self.width, 3), nn.ReLU(), *pool, nn.Linear(self.width, outputs))
        return Network(body, stages=("1",), head="4")
""",
        "$title(), $title(width=4)",
    ),
    "dataset": (
        "import torch\n\nfrom camforge.api import Dataset, ImageSet, Sample, hookimpl\n",
        "Dataset",
        "Two classes told apart by the place of a dot.",
        """\
    size: int = 32

    def open(self, split):
        labels = torch.eye(2, dtype=torch.bool)
        ids = (f"{split}-0", f"{split}-1")

        def load(i):
            image = torch.zeros(3, self.size, self.size, dtype=torch.uint8)
            image[:, 4, 4 if i == 0 else -4] = 255
            return Sample(ids[i], image, labels[i])

        return ImageSet(("left", "right"), ids, labels, load, f"$name-{self.size}-{split}")
""",
        "$title()",
    ),
}


def write(kind: str, name: str, into: Path) -> Path:
    """Write the distribution ``camforge-<name>`` into a new folder. Raises CamForgeError where that cannot be."""
    if kind not in _KINDS:
        raise CamForgeError(f"unknown kind of plugin {kind!r}; {choices(kind, KINDS, 'kinds')}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or iskeyword(_title(name)):
        raise CamForgeError(
            f"{name!r} cannot be a plugin's name: small letters, digits and underscores, no word of Python's own"
        )
    if taken := registry().plugins[kind].get(name):
        raise CamForgeError(f"{kind} {name!r} is taken by {taken.distribution}; give yours another name")
    if find_spec(f"camforge_{name}"):
        raise CamForgeError(f"a module camforge_{name} is installed already; give the plugin another name")
    folder = into / f"camforge-{name.replace('_', '-')}"
    files = _files(kind, name)
    try:
        (folder / "tests").mkdir(parents=True)
        for path, text in files.items():
            (folder / path).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise CamForgeError(f"{folder} is already there: it is left as it is") from None
    except OSError as error:
        raise CamForgeError(f"{folder} cannot be written: {error.strerror}") from None
    return folder


def _title(name: str) -> str:
    """The class of the plugin: my_cam -> MyCam."""
    return "".join(part.capitalize() for part in name.split("_"))


def _files(kind: str, name: str) -> dict[str, str]:
    """Path in the distribution -> text."""
    imports, base, doc, body, cases = _KINDS[kind]
    words = {
        "kind": kind, "name": name, "dashed": name.replace("_", "-"), "base": base, "imports": imports,
        "title": _title(name),
        "contract": f"{kind.capitalize()}Contract", "summary": f"The {kind} {name} for CamForge.",
    }  # fmt: skip
    words |= {key: Template(text).substitute(words) for key, text in (("doc", doc), ("body", body), ("cases", cases))}
    if "small_backbone()" in cases:
        words["contract"] += ", small_backbone"
    test = _TEST.substitute(words).replace(", small_backbone):", "):")
    return {
        "pyproject.toml": _PYPROJECT.substitute(words),
        "README.md": _README.substitute(words),
        f"camforge_{name}.py": _MODULE.substitute(words),
        f"tests/test_{name}.py": test,
    }
