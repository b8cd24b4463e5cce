"""Tiny distributions, as an installer would leave them on sys.path."""

from pathlib import Path

EXTRACTOR = """
from camforge.api import Extractor, hookimpl

class Zero(Extractor):
    \"\"\"Zeros.\"\"\"
    name = "{name}"
    def extract(self, capture):
        return []

@hookimpl
def camforge_extractors():
    return [Zero]
"""


def write_distribution(site: Path, name: str, source: str | None, entry_points: str | bytes | None = None) -> None:
    """A module ``<name>.py`` (none: there is no module) and its dist-info with an entry point of group camforge."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    text = f"[camforge]\n{name} = {name}\n" if entry_points is None else entry_points
    (info / "entry_points.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    if source is not None:
        (site / f"{name}.py").write_text(source)
