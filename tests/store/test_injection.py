"""A sample of benchmarks/injection.py: whatever fails, nothing that was finished is lost, nothing wrong is reused."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_disk import Fault
from stand_in import SCENARIOS, Lab, Outcome, Scenario

from camforge.store import recipe as recipe_module
from camforge.store import store as store_module
from camforge.store.recipe import DamagedEntry

FAULTS = [(errno.EIO, False), (errno.ENOSPC, True), (errno.EACCES, False), (errno.EMFILE, True), ("short", False)]
POWER = ("strict", "names", "torn", "whole", "1", "2")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab") / "lab")


def each(lab: Lab, scenario: Scenario, step: int) -> Iterator[Outcome]:
    """Errors in turn at every so many calls, and losses of power."""
    calls = lab.calls(scenario)
    for place, at in enumerate(range(step // 2, len(calls), step)):
        error, lasting = FAULTS[place % len(FAULTS)]
        yield lab.inject(scenario, Fault(at, error, lasting))
        yield from lab.cut_power(scenario, at, POWER[place % 2 :: 2])


def last_rename(calls: list[str]) -> int:
    """Where results.json gets its name: every stage is finished."""
    return len(calls) - 1 - calls[::-1].index("replace")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_and_nothing_wrongly_reused(lab: Lab, scenario: Scenario) -> None:
    outcomes = list(each(lab, scenario, step=60))
    assert [o for o in outcomes if o.lost or o.reused] == []
    assert {"one line", "killed"} <= {o.said for o in outcomes}


def test_the_disk_would_show_a_store_that_does_not_flush(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = SCENARIOS[0]
    at = last_rename(lab.calls(scenario))
    assert [o.lost for o in lab.cut_power(scenario, at, ("names", "strict"))] == ["", ""]
    monkeypatch.setattr(recipe_module, "sync", lambda _path: None)
    (outcome,) = lab.cut_power(scenario, last_rename(lab.calls(scenario)), ("names",))
    assert "network was made again" in outcome.lost
    monkeypatch.undo()
    monkeypatch.setattr(store_module, "sync_folder", lambda _folder: None)
    (outcome,) = lab.cut_power(scenario, last_rename(lab.calls(scenario)), ("strict",))
    assert "made again" in outcome.lost


def test_the_disk_would_show_a_store_that_takes_errors_for_damage(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    check, failed = recipe_module.check, []

    def hasty(entry: Path) -> object:
        """Also when it looks for the second time."""
        if failed and failed.pop() == entry:
            raise DamagedEntry("not read")
        try:
            return check(entry)
        except OSError:
            failed.append(entry)
            raise DamagedEntry("not read") from None

    monkeypatch.setattr(store_module, "check", hasty)
    scenario = SCENARIOS[3]
    outcomes = [lab.inject(scenario, Fault(at, errno.EIO)) for at in range(6, 30, 3)]
    assert any(o.lost for o in outcomes)


def test_the_disk_would_show_a_store_that_reuses_what_is_damaged(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "check", recipe_module.read_recipe)
    (damaged,) = (scenario for scenario in SCENARIOS if scenario.name == "damaged files")
    with pytest.raises(Exception, match=r"value\.pt|pickle|weights_only|magic"):
        lab.inject(damaged, Fault(10**9, errno.EIO))
