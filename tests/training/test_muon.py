"""Muon against what defines it: the singular values of its steps, and torch's own AdamW for all else."""

import pytest
import torch

from training.muon import MEAN_DECAY, PLAIN_SHARE, SQUARE_DECAY, Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (9, 9)])
def test_every_direction_moves_about_alike(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.manual_seed(0))))
    assert values.min() > 0.4
    assert values.max() < 1.3


def test_directions_stay_and_nothing_stays_nothing() -> None:
    left, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.manual_seed(1)))
    stretched = left @ torch.diag(torch.tensor([1.0, 0.9, 0.8, 0.7, 0.6, 0.5]))
    closeness = (orthogonal(stretched) * left).sum() / 6  # 1 were the nearest of all orthogonal matrices
    assert 0.7 < closeness < 1.2
    assert not orthogonal(torch.zeros(3, 5)).any()


def test_biases_take_the_steps_of_adamw() -> None:
    ours, theirs = (torch.nn.Parameter(torch.ones(5)) for _ in range(2))
    muon = Muon([{"params": [ours], "lr": 0.1}], weight_decay=0.5)
    adam = torch.optim.AdamW(
        [theirs], lr=0.1 * PLAIN_SHARE, betas=(MEAN_DECAY, SQUARE_DECAY), weight_decay=0.0
    )
    for step in range(5):
        gradient = torch.randn(5, generator=torch.manual_seed(step))
        ours.grad, theirs.grad = gradient, gradient.clone()
        muon.step()
        adam.step()
    torch.testing.assert_close(ours, theirs)


def test_it_learns_a_kernel_and_goes_on_from_its_state() -> None:
    wanted = torch.randn(4, 3, 3, 3, generator=torch.manual_seed(2))

    def learnt(stops_after: int | None) -> tuple[torch.Tensor, float]:
        kernel = torch.nn.Parameter(torch.zeros(4, 3, 3, 3))
        muon = Muon([{"params": [kernel], "lr": 0.2}], weight_decay=0.0)
        for step in range(60):
            if step == stops_after:
                again = Muon([{"params": [kernel], "lr": 0.2}], weight_decay=0.0)
                again.load_state_dict(muon.state_dict())
                muon = again
            muon.zero_grad()
            loss = (kernel - wanted).square().mean()
            loss.backward()
            muon.step()
        return kernel.detach(), float(loss.detach())

    whole, loss = learnt(None)
    assert loss < 0.05 * float(wanted.square().mean())
    assert torch.equal(learnt(30)[0], whole)
