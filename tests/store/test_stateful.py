"""The store against a model: a dict of what was committed, a set of what was harmed, in any order of any calls."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from camforge.store.maintenance import damaged, kind_of, list_entries, prunable, prune
from camforge.store.recipe import digest
from camforge.store.store import Store

RECIPES = [{"n": 0}, {"n": 1}, {"m": {"name": "x"}}]
stages = st.sampled_from(["network", "maps"])
recipes = st.sampled_from(RECIPES)
runs = st.sampled_from(["", "a", "b"])
Key = tuple[str, str]


class Model(RuleBasedStateMachine):
    """``whole``: {(stage, key): (content, id of the fresh run)};  ``harmed``: entries with damage."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.whole: dict[Key, tuple[str, str]] = {}
        self.harmed: set[Key] = set()
        self.scratch: dict[Key, str] = {}
        self.aside = self.writes = 0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def entry(self, key: Key) -> Path:
        return self.root / "-".join(key)

    @rule(stage=stages, recipe=recipes, fresh=runs)
    def commit(self, stage: str, recipe: dict[str, object], fresh: str) -> None:
        """What is whole and counts stays; everything else is replaced."""
        key, self.writes = (stage, digest(recipe)), self.writes + 1
        content = f"write {self.writes}"
        Store(self.root, fresh=fresh).commit(*key, recipe, lambda draft: (draft / "a").write_text(content) and None)
        if key in self.harmed:
            self.aside += 1
        if key not in self.whole or fresh not in ("", self.whole[key][1]):
            self.whole[key] = content, fresh
        self.harmed.discard(key)
        self.scratch.pop(key, None)

    @rule(stage=stages, recipe=recipes, fresh=runs)
    def find(self, stage: str, recipe: dict[str, object], fresh: str) -> None:
        key = stage, digest(recipe)
        found = Store(self.root, fresh=fresh).find(*key)
        if key in self.harmed:
            self.harmed.discard(key)
            self.aside += 1
        known = self.whole.get(key)
        assert (found is not None) == (known is not None and fresh in ("", known[1]))
        if found is not None and known is not None:
            assert (found / "a").read_text() == known[0]

    @rule(stage=stages, recipe=recipes, content=st.text("xy", min_size=1, max_size=3), fresh=runs)
    def begin(self, stage: str, recipe: dict[str, object], content: str, fresh: str) -> None:
        """A checkpoint stays until its stage is finished, or a fresh run begins."""
        key = stage, digest(recipe)
        checkpoint = Store(self.root, fresh=fresh).scratch_dir(*key) / "checkpoint"
        if not fresh:
            assert (checkpoint.read_text() if checkpoint.exists() else None) == self.scratch.get(key)
        checkpoint.write_text(content)
        self.scratch[key] = content

    @precondition(lambda self: self.whole)
    @rule(data=st.data(), how=st.sampled_from(["flip", "cut", "gone", "recipe", "link", "file"]))
    def harm(self, data: st.DataObject, how: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.whole)))
        entry = self.entry(key)
        if how in ("link", "file"):
            shutil.rmtree(entry)
            entry.symlink_to(self.root) if how == "link" else entry.touch()
        elif how == "gone":
            (entry / "a").unlink()
        else:
            file = entry / ("recipe.json" if how == "recipe" else "a")
            file.write_text({"flip": "Write", "cut": "", "recipe": "[]"}[how])
        del self.whole[key]
        self.harmed.add(key)

    @precondition(lambda self: len(self.whole) > 1)
    @rule(data=st.data())
    def swap(self, data: st.DataObject) -> None:
        one, two = data.draw(st.permutations(sorted(self.whole)))[:2]
        self.entry(one).rename(self.root / "x")
        self.entry(two).rename(self.entry(one))
        (self.root / "x").rename(self.entry(two))
        for key in (one, two):
            del self.whole[key]
            self.harmed.add(key)

    @rule(everything=st.booleans())
    def prune(self, everything: bool) -> None:
        """Damage goes, finished stages only where asked for; what began today stays."""
        prune(prunable(self.root, -1.0 if everything else None))
        self.harmed.clear()
        self.aside = 0
        if everything:
            self.whole.clear()

    @invariant()
    def what_is_damaged_is_known(self) -> None:
        assert set(damaged(self.root)) == {"-".join(key) for key in self.harmed}

    @invariant()
    def all_is_listed(self) -> None:
        kinds = [kind_of(self.root / item.name) for item in list_entries(self.root)]
        assert kinds.count("finished") == len(self.whole) + len(self.harmed)
        assert kinds.count("damaged") == self.aside
        assert kinds.count("unfinished") == len(self.scratch)

    @invariant()
    def no_draft_is_left(self) -> None:
        assert [name for name in os.listdir(self.root) if kind_of(self.root / name) in ("draft", None)] == []


TestStore = Model.TestCase
TestStore.settings = settings(
    max_examples=int(os.environ.get("CAMFORGE_EXAMPLES", "20")), stateful_step_count=20, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
