"""What the build of the site makes by itself: the gallery, the tables of the reference, the papers' configs."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from html import escape
from itertools import takewhile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parents[1]
PAPERS = ROOT / "configs" / "papers"
sys.path.insert(0, str(TOOLS))

import tables  # noqa: E402
from gallery import Card, cards, scene, variants  # noqa: E402
from llms import llms  # noqa: E402
from shape import plain_braces  # noqa: E402

_MADE = "hero|gallery|variants|plugins|experiment|interface|contracts"
_MARK = re.compile(rf"^<!-- ({_MADE}|configs: (?:\d{{3}}|all)) -->$", re.M)
_OUTSIDE = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")
REFERENCE = ("reference/", "papers/")
HERO = ("gradcam", "layercam", "fullgrad", "ltgradcam", "scorecam", "eigencam")


@cache
def _made() -> tuple[bytes, list[Card], list[Card]]:
    at = scene(ROOT / "work" / "docs")
    return at.truth(), cards(at), variants(at)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pictures of the gallery."""
    truth, every, other = _made()
    pictures = {"truth": truth} | {_slug(card.name): card.picture for card in every + other if card.picture}
    for name, content in pictures.items():
        files.append(File.generated(config, f"gallery/{name}.webp", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put what was made in the place of its mark."""
    del config, files
    if page.file.src_uri.startswith(REFERENCE):  # who searches for a word wants it explained first, then defined
        page.meta.setdefault("search", {"boost": 0.3})
    return plain_braces(_MARK.sub(lambda found: _filled(found[1]), markdown))


def _filled(mark: str) -> str:
    if mark.startswith("configs"):
        return _lowered(PAPERS / "README.md", 1) if mark.endswith("all") else configs(mark[-3:])
    makers = {
        "hero": _hero,
        "gallery": lambda: _grid(_made()[1], "gallery"),
        "variants": lambda: _grid(_made()[2], "gallery three"),
        "plugins": tables.plugins,
        "experiment": tables.experiment,
        "interface": tables.interface,
        "contracts": tables.contracts,
    }
    return makers[mark]()


def _grid(found: list[Card], style: str) -> str:
    shown = "".join(_card(card) for card in found if card.picture)
    rest = [f"- `{card.name}`: {card.reason.removeprefix(f'{card.name}: ')}" for card in found if card.reason]
    told = "\n\nNot for this network:\n\n" + "\n".join(rest) if rest else ""
    return f'<div class="{style}">{shown}</div>{told}'


def _hero() -> str:
    """A few methods on the front page."""
    there = {card.name for card in _made()[1] if card.picture}
    shown = "".join(_figure(name, name) for name in HERO if name in there)
    return f'<div class="strip">{shown}<p>One network, one scene: the map of the fish, the map of the crate.</p></div>'


def _card(card: Card) -> str:
    """A card of the gallery; one with other options has no line about the method again."""
    name = card.name.partition(",")[0]
    summary = tables.registry().plugins["extractor"][name].cls.summary()
    caption = "" if "," in card.name else f"<small>{escape(summary)}</small>"
    link = f'<a href="reference/plugins.html#extractor-{name}">{escape(card.name)}</a>'
    return _figure(card.name, link + caption)


def _figure(name: str, caption: str) -> str:
    picture = (
        f'<img src="gallery/{_slug(name)}.webp" alt="Maps of {escape(name)}" width="390" height="192" loading="lazy">'
    )
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name)


def configs(paper: str) -> str:
    """The paper's configs in this repository, and what was measured with them."""
    folder = PAPERS / paper
    abouts = {path: _about(path) for path in sorted(folder.glob("*.py"))}
    parts = zip(*(about.split(", ") for about in abouts.values()), strict=False)
    paper_itself = "".join(f"{same[0]}, " for same in takewhile(lambda part: len(set(part)) == 1, parts))
    rows = [
        (f"`paper{paper}-{path.stem.replace('_', '-')}`", about.removeprefix(paper_itself))
        for path, about in abouts.items()
    ]
    listed = f"`camforge bench NAME` runs one; the files lie in `configs/papers/{paper}`.\n\n"
    listed += tables.table(("name", "what it is"), rows)
    diagnostics = folder / "README.md"
    told = _lowered(diagnostics, 2) if diagnostics.is_file() else "None of these files has been run for this page.\n"
    told = told.replace("](../../../docs/papers/", "](")  # its pictures lie beside the page
    return f"{listed}\n### Measured with them\n\n{told}"


def _about(path: Path) -> str:
    lines = [line for line in (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines() if line]
    return " ".join(lines[:2])


def _lowered(file: Path, levels: int) -> str:
    """A README inside a page: without its title, its headings some levels down."""
    body = re.sub(r"\A# .*\n", "", file.read_text())
    return re.sub(r"^(#+) ", rf"{'#' * levels}\1 ", body, flags=re.M)


def on_post_build(config: MkDocsConfig) -> None:
    """The site for language models; and the site must not fetch anything from outside."""
    (Path(config.site_dir) / "llms.txt").write_text(llms(config.nav, Path(config.docs_dir)))
    for page in Path(config.site_dir).rglob("*.html"):
        found = [tag for tag in _OUTSIDE.findall(page.read_text()) if 'rel="canonical"' not in tag]
        if found:
            raise PluginError(f"{page.name} fetches from outside: {found[0]}")
