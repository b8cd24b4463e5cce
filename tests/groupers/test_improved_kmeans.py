"""The improved K-means against reference traces and a slow transcription that also shows the traps it avoids."""

import json
from pathlib import Path

import pytest
import torch

from camforge_plugins.groupers.improved_kmeans import improved_kmeans, objective, run_from

REFERENCE = json.loads((Path(__file__).parent / "group.json").read_text())
S6 = torch.tensor(REFERENCE["S6"], dtype=torch.float64)
INIT = REFERENCE["init"]


def slow_average(similarity, item, members, diagonal=False):
    others = [similarity[item][other] for other in members if diagonal or other != item]
    return sum(others) / len(others) if others else float("-inf")


def slow_sweep(similarity, state, clusters, min_size, diagonal=False, at_once=False):
    """One sweep, class by class; ``diagonal`` and ``at_once`` are the traps."""
    seen = list(state)
    for item in range(len(state)):
        look = state if at_once else seen
        groups = [[k for k, own in enumerate(look) if own == j] for j in range(clusters)]
        scores = [slow_average(similarity, item, members, diagonal) for members in groups]
        best, own = scores.index(max(scores)), look[item]
        if scores[best] > scores[own] + 1e-12 and len(groups[own]) > min_size:
            seen[item] = best
    return seen


def slow_run(similarity, state, clusters, min_size=1, **trap):
    history = [list(state)]
    while len(history) <= 100:
        history.append(slow_sweep(similarity, history[-1], clusters, min_size, **trap))
        if history[-1] in history[:-1]:
            return history, "converged" if history[-1] == history[-2] else "cycle"
    return history, "max_sweeps"


def slow_objective(similarity, state):
    own = [slow_average(similarity, i, [k for k, c in enumerate(state) if c == state[i]]) for i in range(len(state))]
    return sum(0 if score == float("-inf") else score for score in own) / len(own)


@pytest.mark.parametrize("min_size", [1, 2, 3])
def test_reference_traces(min_size: int) -> None:
    expected = REFERENCE[f"ikm_N2_min{min_size}"]
    run = run_from(INIT, S6, 2, min_size)
    assert list(run.assignment) == expected["assign"]
    assert (run.sweeps, run.status) == (expected["sweeps"], expected["why"])
    assert [[m.sweep, m.item, m.source, m.target] for m in run.moves] == [row[:4] for row in expected["trace"]]
    for move, row in zip(run.moves, expected["trace"], strict=True):
        assert move.scores == pytest.approx(row[4], abs=1e-6)
    assert run.objective == pytest.approx(expected["J"], abs=1e-12)


def test_min_size_of_all_over_clusters_freezes_the_start() -> None:
    run = run_from(INIT, S6, 2, 3)
    assert (list(run.assignment), run.moves, run.status) == (INIT, (), "converged")


def test_the_diagonal_would_hold_every_class_where_it_is() -> None:
    expected = REFERENCE["ikm_N2_min1_diag_included"]
    trapped, why = slow_run(S6.tolist(), INIT, 2, diagonal=True)
    assert (trapped[-1], why) == (expected["assign"], expected["why"]) == (INIT, "converged")
    assert slow_objective(S6.tolist(), INIT) == pytest.approx(expected["J"], abs=1e-12)
    assert list(run_from(INIT, S6, 2, 1).assignment) != INIT


def test_updates_at_once_oscillate_where_one_after_the_other_converges() -> None:
    steady, oscillating = REFERENCE["ikm_sync_N2"], REFERENCE["sync_cycle_S4"]
    assert slow_run(S6.tolist(), INIT, 2, at_once=True) == (steady["hist"], steady["why"])
    start = oscillating["hist"][0]
    assert slow_run(oscillating["S"], start, 2, min_size=0, at_once=True) == (oscillating["hist"], oscillating["why"])
    expected = REFERENCE["seq_on_same"]
    run = run_from(start, torch.tensor(oscillating["S"]), 2, 1)
    assert (list(run.last), run.sweeps, run.status) == (expected["assign"], expected["sweeps"], expected["why"])


@pytest.mark.parametrize("name", ["seq_cycle_asym_n4_N2", "seq_cycle_sym_n4_N2"])
def test_cycles_are_noticed_and_their_best_state_is_kept(name: str) -> None:
    expected = REFERENCE[name]
    similarity = torch.tensor(expected["S"], dtype=torch.float64)
    run = run_from(expected["init"], similarity, 2, 1)
    assert run.status == "cycle"
    assert (list(run.last), run.sweeps) == (expected["ends"], expected["sweep"])
    assert [[m.sweep, m.item, m.source, m.target] for m in run.moves] == [row[:4] for row in expected["trace"]]
    history, _ = slow_run(expected["S"], expected["init"], 2)
    best = max(slow_objective(expected["S"], state) for state in history)
    assert run.objective == pytest.approx(best, abs=1e-12)
    assert slow_objective(expected["S"], list(run.assignment)) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_random_matrices_against_the_transcription(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.randint(0, 10, (8, 8), generator=generator).double()
    start = torch.randperm(8, generator=generator).remainder(3).tolist()
    history, why = slow_run(similarity.tolist(), start, 3, 2)
    run = run_from(start, similarity, 3, 2)
    assert (list(run.last), run.status, run.sweeps) == (history[-1], why, len(history) - 1)
    assert run.objective == pytest.approx(max(slow_objective(similarity.tolist(), s) for s in history), abs=1e-12)
    assert min(run.assignment.count(c) for c in range(3)) >= 2


def test_a_class_alone_has_no_company_and_leaves_when_it_may() -> None:
    similarity = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    assert objective(similarity, [0, 1, 1], 2) == pytest.approx((0 + 1 + 1) / 3)  # not 0 / 0
    stays = run_from([0, 1, 1], similarity, 2, 1)
    assert stays.last == (0, 0, 1)  # 0 may not leave its cluster empty; 1 joins it


def test_restarts_find_the_best_partition_of_a_clear_matrix() -> None:
    blocks = torch.block_diag(*(torch.full((4, 4), 1.0) for _ in range(3))) + 0.01
    mixed = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    similarity = blocks[mixed][:, mixed]
    found = improved_kmeans(similarity, 3, 3, restarts=20, seed=0)
    expected = {tuple(sorted((mixed // 4 == b).nonzero().flatten().tolist())) for b in range(3)}
    assert {tuple(group) for group in found.groups()} == expected
    assert sum(found.endings.values()) == 20
    assert found.best.objective == pytest.approx(1.01)
    assert improved_kmeans(similarity, 3, 3, 20, 0) == found  # the same seed, the same runs
