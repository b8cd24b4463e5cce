"""Two experiments that take a second or two."""

from pathlib import Path

TINY = """
name = "{name}"
dataset = dict(name="partworld", size=32, train=64, val=12)
images = dict(size=32)
_recipe = dict(backbone=dict(name="small", stem=4, widths=[8, 8], strides=[2, 1], blocks=["plain", "plain"]),
               epochs=1, lr=0.01, batch_size=32, schedule="constant")
trainer = dict(name="single", **_recipe)
extractor = dict(name="gradcam")
arms = {{
    "baseline": dict(),
    **{{f"truncated, delta {{d}}": dict(extractor=dict(name="ltgradcam", truncate=d)) for d in (0, 20, 40)}},
}}
metrics = [dict(name="miou"), dict(name="mlev")]
paper = {{"baseline": {{"miou": 25.0}}}}
report = dict(images=3)
"""


def write_suite(folder: Path) -> Path:
    """A suite's file with two experiments whose networks are the same."""
    for name in ("first", "second"):
        (folder / f"{name}.py").write_text(TINY.format(name=name))
    path = folder / "both.yaml"
    path.write_text("name: both\nabout: Two of a kind\nexperiments: ['first.py', 's*.py']\n")
    return path
