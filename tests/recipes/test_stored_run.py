"""A training of a recipe goes on as if it had not been stopped, and a stored state is whole at any time."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from recipes.shared import stored_run


class Mean:
    def __init__(self, net: nn.Module) -> None:
        self.net, self.steps = nn.Linear(3, 2), 0
        self.net.load_state_dict(net.state_dict())


class Training:
    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = nn.Linear(3, 2)
        self.mean = Mean(self.net)
        self.optimiser = torch.optim.AdamW([{"params": [*self.net.parameters()], "top": 1e-2}])

    def learn(self, step: int) -> None:
        self.optimiser.zero_grad()
        self.net(torch.ones(1, 3) * step).sum().backward()
        self.optimiser.step()
        self.mean.steps += 1


def test_it_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    whole, cut, again = Training(), Training(), Training()
    for step in range(6):
        whole.learn(step)
    for step in range(3):
        cut.learn(step)
    path = tmp_path / "last.pt"
    stored_run.store(path, cut.net, cut.mean, cut.optimiser, 3, done=0.5, random="{}")
    state = stored_run.go_on(path, again.net, again.mean, again.optimiser)
    assert state is not None
    assert (state["step"], state["done"], state["random"], again.mean.steps) == (3, 0.5, "{}", 3)
    for step in range(3, 6):
        again.learn(step)
    assert all(
        torch.equal(one, other) for one, other in zip(whole.net.parameters(), again.net.parameters(), strict=True)
    )
    assert again.optimiser.param_groups[0]["top"] == 1e-2


def test_the_state_before_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, path = Training(), tmp_path / "last.pt"
    stored_run.store(path, one.net, one.mean, one.optimiser, 1)

    def full(state: object, to: Path) -> None:
        to.write_bytes(b"PK")
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RuntimeError):
        stored_run.store(path, one.net, one.mean, one.optimiser, 2)
    state = stored_run.go_on(path, one.net, one.mean, one.optimiser)
    assert state is not None
    assert state["step"] == 1


def test_where_nothing_is_stored_nothing_changes(tmp_path: Path) -> None:
    one = Training()
    assert stored_run.go_on(tmp_path / "last.pt", one.net, one.mean, one.optimiser) is None
