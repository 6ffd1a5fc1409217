"""The loss of tokens under a head that is not trained, and its gradient, against torch's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from curate.models import own_language_model
from curate.tuning.frozen_head import target_losses
from tests.tiny import tiny_language_model


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("size", [1.0, 300.0])
def test_smoothing_and_its_gradient_equal_their_closed_form(fast: bool, size: float, tmp_path: Path) -> None:
    language = own_language_model(str(tiny_language_model(tmp_path)), fast)
    generator = torch.Generator().manual_seed(5)
    hidden = torch.randn(300, 32, generator=generator) * size
    target, smoothing = torch.randint(0, 320, (300,), generator=generator), torch.rand(300, generator=generator) * 0.6
    leaf = hidden.clone().requires_grad_()
    likely = torch.log_softmax(language.head(leaf), 1)
    expected = -(1 - smoothing) * likely.gather(1, target[:, None])[:, 0] - smoothing * likely.mean(1)
    (slope,) = torch.autograd.grad(expected.sum(), leaf)
    found, mine = target_losses(language, hidden, target, smoothing, True)
    assert mine is not None
    torch.testing.assert_close(found, expected.detach(), rtol=0.02 if fast else 1e-4, atol=(0.05 if fast else 1e-4) * size)
    torch.testing.assert_close(mine, slope, rtol=0.05 if fast else 1e-3, atol=(0.3 if size == 1 else 2) if fast else 1e-3)
    without, none = target_losses(language, hidden, target, smoothing, False)
    assert none is None
    torch.testing.assert_close(without, found)
