"""``camforge plugins``: what is installed, for people."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from camforge.host.describe import example, options_of
from camforge.host.discovery import RejectedPlugin
from camforge.host.registry import registry

Camforge = Callable[..., "tuple[int, str, str]"]


def test_list_has_a_line_per_plugin(camforge: Camforge) -> None:
    code, out, _ = camforge("plugins", "list")
    assert code == 0
    for offers in registry().plugins.values():
        for name, offer in offers.items():
            (line,) = [line for line in out.splitlines() if cells(line)[:2] == [offer.kind, name]]
            assert offer.cls.summary() in line
            assert offer.distribution == "camforge" or f"{offer.distribution} {offer.version}" in line


def cells(line: str) -> list[str]:
    """The words of a table's row."""
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_list_of_one_kind(camforge: Camforge) -> None:
    for word in ("fuser", "fusers"):
        _, out, _ = camforge("plugins", "list", word)
        assert "│ fuser" in out
        assert "│ metric" not in out


def test_list_shows_what_was_rejected(camforge: Camforge, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = RejectedPlugin("theirs", "their_package", "import", "ImportError: no [bold]module[/bold]\nsecond line")
    monkeypatch.setattr(registry(), "rejected", [gone])
    _, out, _ = camforge("plugins", "list")
    (line,) = [line for line in out.splitlines() if "their_package" in line]
    assert "import" in line
    assert "ImportError: no [bold]module[/bold] second line" in line


def test_show_tells_equation_options_and_an_example(camforge: Camforge) -> None:
    code, out, _ = camforge("plugins", "show", "layercam")
    assert code == 0
    assert "ReLU(sum_k ReLU(dy/dA_k) * A_k)" in out
    (line,) = [line for line in out.splitlines() if line.startswith("│ layers ")]
    assert "'last' | 'stages' | list of string" in line
    assert "module paths such as" in line
    assert "extractor: {name: layercam}" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("show", "layercan"), "camforge: unknown plugin 'layercan'; did you mean 'layercam'? known: "),
        (("show", "fuser:layercam"), "camforge: unknown plugin 'fuser:layercam'; "),
        (("list", "extracters"), "camforge: unknown kind of plugin 'extracters'; did you mean 'extractor'? kinds: "),
        (("check", "nobody"), "camforge: no installed distribution nobody has a plugin"),
        (("new", "extractor", "Not A Name"), "camforge: 'Not A Name' cannot be a plugin's name"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(camforge: Camforge, arguments: tuple[str, ...], expected: str) -> None:
    code, out, err = camforge("plugins", *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith(expected)
    assert err.count("\n") == 1


def test_show_by_kind_where_names_repeat(camforge: Camforge) -> None:
    """``max`` is a fuser; a stranger's extractor may be called max too."""
    _, out, _ = camforge("plugins", "show", "fuser:max")
    assert out.startswith("fuser max   from camforge ")


def test_new_says_where_and_how_to_try_it(camforge: Camforge, tmp_path: Path) -> None:
    code, out, _ = camforge("plugins", "new", "extractor", "mycam", "--into", tmp_path)
    assert code == 0
    assert out.startswith(f"{tmp_path / 'camforge-mycam'}: try it with")
    assert (tmp_path / "camforge-mycam" / "camforge_mycam.py").is_file()


@pytest.mark.parametrize("kind", sorted(registry().plugins))
def test_every_option_of_every_built_in_can_be_told(kind: str) -> None:
    for offer in registry().plugins[kind].values():
        assert {option.name for option in options_of(offer.cls)} == set(offer.cls.model_fields)
        assert all(option.type and option.default for option in options_of(offer.cls))
        (section,) = yaml.safe_load(example(offer.cls)).values()
        assert (section[0] if isinstance(section, list) else section)["name"] == offer.cls.name
