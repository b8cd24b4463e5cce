"""The page of ``camforge explain``: every photograph with its pictures, the files beside the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Class activation maps</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem;
  background: #faf8f4; color: #24211e; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere; }
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(16rem, 100%), 1fr)); gap: .75rem; }
figure { margin: 0; } img { width: 100%; height: auto; display: block; border-radius: 4px; }
figcaption { font-size: .9rem; overflow-wrap: anywhere; } .quiet { color: #6b645c; }
</style>
</head>
<body>
<h1>Class activation maps</h1>
<ul>{% for method, layers in read.items() %}
<li>{{ method }} <span class="quiet">read {{ layers | join(", ") or "no layer" }}</span></li>{% endfor %}
</ul>
{% for name, overlays in rows %}
<h2>{{ name }}</h2>
<div class="row">{% for overlay in overlays %}
<figure><a href="{{ overlay.picture | address }}"><img src="{{ overlay.picture | address }}" loading="lazy"
alt="{{ overlay.label }} in {{ name }} by {{ overlay.method }}"></a>
<figcaption>{{ overlay.label }} <span class="quiet">{{ "%.2f" | format(overlay.logit) }} · {{ overlay.method }}</span>
</figcaption></figure>{% endfor %}
</div>{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True)
class Overlay:
    """One picture: what was explained, by which method, with which logit, and where the method looked."""

    photograph: str
    target: int
    label: str
    logit: float
    method: str
    layers: tuple[str, ...]
    picture: str


def page(overlays: Sequence[Overlay]) -> str:
    """An HTML page that shows the pictures, which lie in its folder; names of files and classes are escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters["address"] = quote
    rows = [(name, list(each)) for name, each in groupby(overlays, key=lambda overlay: overlay.photograph)]
    return environment.from_string(_PAGE).render(rows=rows, read=layers_read(overlays))


def layers_read(overlays: Sequence[Overlay]) -> Mapping[str, tuple[str, ...]]:
    """Method -> the layers that it read."""
    return {overlay.method: overlay.layers for overlay in overlays}
