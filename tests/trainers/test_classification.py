"""The losses against the equations, written out term by term."""

import math
from typing import Any

import pytest
import torch

from camforge_plugins.trainers.classification import accuracy, classification_loss

LOGITS = torch.tensor([[2.0, -1.0], [0.0, 1.0]], dtype=torch.float64)


def slow_bce(logits, targets):
    terms = [
        -y * math.log(1 / (1 + math.exp(-z))) - (1 - y) * math.log(1 - 1 / (1 + math.exp(-z)))
        for row, truth in zip(logits.tolist(), targets.tolist(), strict=True)
        for z, y in zip(row, truth, strict=True)
    ]
    return sum(terms) / len(terms)


@pytest.mark.parametrize(
    ("targets", "expected"), [([[1, 0], [0, 1]], 0.36164964165984087), ([[1, 1], [0, 1]], 0.6116496416598409)]
)
def test_bce_is_the_mean_over_images_and_outputs(targets: Any, expected: Any) -> None:
    targets = torch.tensor(targets, dtype=torch.float64)
    assert classification_loss(LOGITS, targets, "bce").item() == pytest.approx(expected, abs=1e-12)
    assert slow_bce(LOGITS, targets) == pytest.approx(expected, abs=1e-12)


def test_softmax_shares_the_target_of_an_image_with_several_labels() -> None:
    logits = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]], dtype=torch.float64)
    targets = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]], dtype=torch.float64)

    def log_p(row, k):
        return row[k] - math.log(sum(math.exp(z) for z in row))

    first, second = logits.tolist()
    expected = -(log_p(first, 1) + 0.5 * log_p(second, 0) + 0.5 * log_p(second, 2)) / 2
    assert classification_loss(logits, targets, "softmax").item() == pytest.approx(expected, abs=1e-12)


def test_accuracy_counts_decisions_for_bce_and_images_for_softmax() -> None:
    targets = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    assert accuracy(LOGITS.float(), targets, "bce").item() == 0.75  # 2 right, -1 wrong, 0 says no: right, 1 right
    wrong_second = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert accuracy(LOGITS.float(), wrong_second, "softmax").item() == 0.5
