"""Every code block of every page runs, in order, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS, LANGUAGES, ROOT, blocks

PAGES = sorted(page for page in DOCS.rglob("*.md"))
RUN = [page for page in PAGES if blocks(page)]


def name(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_page_works(page, reader):
    reader(page).read()


@pytest.mark.parametrize("page", RUN, ids=name)
def test_no_block_escapes(page):
    fences = re.findall(r"^ *```", page.read_text(), re.M)
    assert len(fences) == 2 * len(blocks(page)), "a fence that is not closed, or closed at another indent"
    assert {block.language for block in blocks(page)} <= LANGUAGES


def test_the_pages_own_tests_pass(tmp_path):
    """The contract tests that the how-to pages show, in one process of pytest."""
    folders = []
    for page in RUN:
        if any(block.title.startswith("test_") for block in blocks(page)):
            folder = tmp_path / name(page).replace("/", "-").removesuffix(".md")
            folder.mkdir()
            folders.append(folder)
            for block in blocks(page):
                if block.title.endswith(".py"):
                    (folder / block.title).write_text(block.text)
    assert len(folders) >= 7
    path = os.pathsep.join(map(str, folders))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        *map(str, folders),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:\s]+\.md)", page.read_text()):
            assert (page.parent / target).resolve().is_file(), f"{name(page)} links to {target}"


def test_every_file_that_a_page_names_is_there():
    for page in PAGES:
        for path in re.findall(r"`((?:camforge|plugins|configs|examples|tests|docs)/[\w./-]+\.\w+)`", page.read_text()):
            assert (ROOT / path).exists(), f"{name(page)} names {path}"
