"""``camforge bench``."""

from collections.abc import Callable
from pathlib import Path

from test_cli_run import TINY

Camforge = Callable[..., "tuple[int, str, str]"]


def test_bench_prints_the_table_and_where_the_page_is(camforge: Camforge, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY + "paper: {only: {miou: 12.5}}\n")
    code, out, err = camforge("bench", path, "--work-dir", tmp_path / "work", "--device", "cpu", "--quiet")
    assert (code, err) == (0, "")
    assert "12.50" in out
    assert out.splitlines()[-1] == f"page: {tmp_path / 'work' / 'index.html'}"


def test_list_and_nothing(camforge: Camforge) -> None:
    code, out, _ = camforge("bench", "--list")
    assert code == 0
    assert "paper001-table4-small" in out
    assert camforge("bench")[::2] == (2, "camforge: which suite? camforge bench --list says what there is\n")
