"""The one training loop: it resumes to the same curve, keeps the last good checkpoint, and says what went wrong."""

import csv
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from clocks import FakeClock

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from torch import Tensor, nn

from handlens.errors import InputError, OutputError
from handlens.train.checkpoints import read_checkpoint
from handlens.train.config import Plan
from handlens.train.optim import optimiser, set_rate
from handlens.train.precision import faster_precision
from handlens.train.trainer import fit

Batch = dict[str, Tensor]
PLAN = Plan(epochs=5, batch=4, rate=5e-3, precision="32", average=0.9)
ABOUT = {"net": "toy", "names": ["dark", "bright"]}


def toy() -> nn.Module:
    """A net with everything that makes resuming hard: batch norm, dropout, momentum."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 2, 3, 2))


def batches(epoch: int) -> list[Batch]:
    """Six batches of dark and bright noise, the same ones for the same epoch."""
    random = torch.Generator().manual_seed(epoch)
    made = []
    for _ in range(6):
        label = torch.randint(0, 2, (4,), generator=random)
        noise = torch.rand(4, 3, 16, 16, generator=random) * 100 + label[:, None, None, None] * 50
        made.append({"image": noise.to(torch.uint8), "label": label})
    return made


def logits(net: nn.Module, batch: Batch) -> Tensor:
    return net((batch["image"].float() - 127) / 64).mean((2, 3)).float()


def loss(net: nn.Module, batch: Batch) -> Batch:
    return {"loss": nn.functional.cross_entropy(logits(net, batch), batch["label"])}


def check(net: nn.Module) -> dict[str, float]:
    with torch.no_grad():
        hits = torch.cat([logits(net, b).argmax(1) == b["label"] for b in batches(10**6)])
    return {"score": float(hits.float().mean()), "accuracy": float(hits.float().mean())}


def curve(run: Path) -> list[dict[str, str]]:
    """The rows of a run's log without what the clock says."""
    with (run / "log.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "minutes"} for row in csv.DictReader(file)]


def weights(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_it_learns(tmp_path: Path) -> None:
    best = fit(toy(), batches, loss, PLAN, tmp_path, check, ABOUT)
    assert best == tmp_path / "best.ckpt"
    rows = curve(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert float(rows[-1]["loss"]) < 0.9 * float(rows[0]["loss"])
    assert float(rows[-1]["val_accuracy"]) > 0.8


@pytest.mark.parametrize(
    ("scores", "losses", "expected"),
    [
        ([0.5, 0.5, 0.5, 0.5], [3.0, 2.0, 2.5, 2.0], 2),  # equal scores: the first of the lowest loss
        ([0.5, 0.6, 0.5, 0.6], [1.0, 2.0, 0.1, 3.0], 2),
        ([0.5, 0.4, 0.6, 0.6], [1.0, 0.1, 9.0, 8.0], 4),
    ],
)
def test_of_equal_scores_the_epoch_of_the_lower_loss_is_kept(
    tmp_path: Path, scores: list[float], losses: list[float], expected: int
) -> None:
    answers = iter([{"score": score, "log loss": value} for score, value in zip(scores, losses, strict=True)])
    plan = dataclasses.replace(PLAN, epochs=len(scores))
    best = fit(toy(), batches, loss, plan, tmp_path, lambda net: next(answers), ABOUT)
    assert int(torch.load(best, weights_only=True)["epoch"]) + 1 == expected


def started(source: Callable[[int], Iterable[Batch]]) -> Callable[[int], Iterable[Batch]]:
    """The same batches from a loader that draws a random number when it starts its workers, as torch's does."""

    class Loader:
        running = False

        def __init__(self, epoch: int) -> None:
            self.batches = source(epoch)

        def __iter__(self) -> Iterator[Batch]:
            if not Loader.running:
                torch.empty((), dtype=torch.int64).random_()
                Loader.running = True
            yield from self.batches

        def __len__(self) -> int:
            return 6

    return Loader


@pytest.mark.slow
@pytest.mark.parametrize(("dies", "average"), [(KeyboardInterrupt, 0.9), (RuntimeError, 0.0)])
def test_a_run_that_died_goes_on_to_the_same_curve(tmp_path: Path, dies: type[BaseException], average: float) -> None:
    plan = dataclasses.replace(PLAN, average=average, optimiser="adam" if average else "sgd")
    fit(toy(), started(batches), loss, plan, tmp_path / "whole", check, ABOUT)

    def mortal(epoch: int) -> Iterable[Batch]:
        for number, batch in enumerate(batches(epoch)):
            if (epoch, number) == (3, 4):
                raise dies("in the middle of an epoch")
            yield batch

    class Mortal:
        def __init__(self, epoch: int) -> None:
            self.epoch = epoch

        def __iter__(self) -> Iterable[Batch]:
            return iter(mortal(self.epoch))

        def __len__(self) -> int:
            return 6

    with pytest.raises(dies):
        fit(toy(), started(Mortal), loss, plan, tmp_path / "cut", check, ABOUT)
    assert len(curve(tmp_path / "cut")) == 3
    fit(toy(), started(batches), loss, plan, tmp_path / "cut", check, ABOUT)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    cut, whole = weights(tmp_path / "cut" / "last.ckpt"), weights(tmp_path / "whole" / "last.ckpt")
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


@pytest.mark.slow
def test_a_nan_loss_is_a_sentence_and_the_last_checkpoint_is_intact(tmp_path: Path) -> None:
    def breaks(net: nn.Module, batch: Batch) -> Batch:
        later = (tmp_path / "last.ckpt").exists()
        return {"loss": loss(net, batch)["loss"] * (float("nan") if later else 1.0)}

    with pytest.raises(InputError, match="the loss became nan in epoch 2, step 1: try a lower --rate"):
        fit(toy(), batches, breaks, PLAN, tmp_path, check, ABOUT)
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "last.ckpt").values())
    fit(toy(), batches, loss, PLAN, tmp_path, check, ABOUT)
    assert len(curve(tmp_path)) == 5


def test_a_damaged_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    fit(toy(), batches, loss, Plan(epochs=1, batch=4, precision="32"), tmp_path, check, ABOUT)
    whole = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"last\.ckpt' is damaged or no checkpoint of handlens"):
        fit(toy(), batches, loss, PLAN, tmp_path, check, ABOUT)


def test_a_run_of_another_net_is_not_taken_over(tmp_path: Path) -> None:
    fit(toy(), batches, loss, Plan(epochs=1, batch=4, precision="32"), tmp_path, check, ABOUT)
    with pytest.raises(InputError, match="begun with the net 'toy'"):
        fit(toy(), batches, loss, PLAN, tmp_path, check, {**ABOUT, "net": "other"})


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)  # Python ignores the signal, so that a write is an OSError
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))
    try:
        with pytest.raises(OutputError):
            fit(toy(), batches, loss, PLAN, tmp_path, check, ABOUT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.glob("*.ckpt"))


def test_early_stopping_ends_a_run_that_stands_still(tmp_path: Path) -> None:
    plan = Plan(epochs=50, batch=4, precision="32", patience=2, rate=1e-9)
    fit(toy(), batches, loss, plan, tmp_path, check, ABOUT)
    assert len(curve(tmp_path)) < 10


@pytest.fixture
def slow_loss(monkeypatch: pytest.MonkeyPatch) -> Callable[[nn.Module, Batch], Batch]:
    """The loss, for which each step takes a twentieth of a second of the trainer's clock."""
    clock = FakeClock()
    monkeypatch.setattr("handlens.train.trainer.time", clock)

    def slow(net: nn.Module, batch: Batch) -> Batch:
        clock.now += 0.05
        return loss(net, batch)

    return slow


@pytest.mark.slow
def test_minutes_end_a_run_with_its_rate_annealed(
    tmp_path: Path, slow_loss: Callable[[nn.Module, Batch], Batch]
) -> None:
    asked: list[int] = []

    def noted(epoch: int) -> list[Batch]:
        asked.append(epoch)
        return batches(epoch)

    fit(toy(), noted, slow_loss, Plan(epochs=10_000, batch=4, precision="32", minutes=0.03), tmp_path, None, ABOUT)
    rows = curve(tmp_path)
    assert asked == sorted(asked)
    assert asked[-1] > len(rows) + 100  # what belongs to the last epochs comes in time
    assert 1 < len(rows) < 10_000
    assert float(rows[-1]["rate"]) < 0.2 * float(rows[0]["rate"])


@pytest.mark.slow
@pytest.mark.parametrize("limit", [{"epochs": 5}, {"epochs": 10_000, "minutes": 0.03}])
def test_every_epoch_is_kept_and_the_end_is_measured(
    tmp_path: Path, limit: dict[str, float], slow_loss: Callable[[nn.Module, Batch], Batch]
) -> None:
    fit(toy(), batches, slow_loss, Plan(batch=4, precision="32", check=3_000, **limit), tmp_path, check, ABOUT)
    rows = curve(tmp_path)
    assert [bool(row["val_accuracy"]) for row in rows] == [False] * (len(rows) - 1) + [True]
    assert read_checkpoint(tmp_path / "last.ckpt")["epoch"] == len(rows) - 1
    assert (tmp_path / "best.ckpt").exists()


def test_rates_warm_up_and_come_down() -> None:
    plan = Plan(epochs=10, rate=0.1, warmup=2, warm_bias=0.5, warm_momentum=0.8, momentum=0.9, optimiser="sgd")
    steps = optimiser(toy(), plan)
    seen = []
    for epoch in (0.0, 1.0, 2.0, 6.0, 10.0):
        set_rate(steps, plan, epoch / 10, epoch)
        seen.append([group["lr"] for group in steps.param_groups])
    kernels, biases = [row[0] for row in seen], [row[-1] for row in seen]
    assert kernels[0] == 0
    assert biases[0] == 0.5
    assert kernels[1] < kernels[2] > kernels[3] > kernels[4]
    assert kernels[4] == pytest.approx(0.1 * plan.final)
    assert steps.param_groups[0]["momentum"] == 0.9


def test_steps_divide_the_rate_by_ten() -> None:
    plan = Plan(schedule="steps", milestones=(0.35, 0.6))
    assert [round(plan.share(done), 3) for done in (0.0, 0.34, 0.35, 0.7)] == [1, 1, 0.1, 0.01]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": 0}, "epochs must be above 0"),
        ({"optimiser": "sdg"}, "did you mean 'sgd'"),
        ({"minutes": -1.0}, "min"),
    ],
)
def test_a_plan_refuses_what_makes_no_sense(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Plan(**wrong)  # type: ignore[arg-type]


def test_trying_both_formats_leaves_the_net_as_it_was() -> None:
    net = toy()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    assert faster_precision(net, loss, batches(0)[0]) in ("32", "bf16")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_the_last_checkpoint_is_written_every_so_many_epochs_and_at_the_end(tmp_path: Path) -> None:
    epochs: list[int | None] = []

    def watch(net: nn.Module) -> dict[str, float]:
        last = tmp_path / "last.ckpt"
        epochs.append(int(torch.load(last, weights_only=True)["epoch"]) + 1 if last.exists() else None)
        return {"score": 1.0}

    fit(toy(), batches, loss, dataclasses.replace(PLAN, epochs=5, save=2), tmp_path, watch, ABOUT)
    assert epochs == [None, None, 2, 2, 4]
    assert int(torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"]) + 1 == 5


def test_a_run_goes_on_in_the_number_format_that_was_found_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter(["bf16"])
    monkeypatch.setattr("handlens.train.trainer.faster_precision", lambda *ignored: next(found))
    plan = dataclasses.replace(PLAN, precision="auto", epochs=1)
    fit(toy(), batches, loss, plan, tmp_path, check, ABOUT)
    fit(toy(), batches, loss, dataclasses.replace(plan, epochs=2), tmp_path, check, ABOUT)  # is not timed again
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert (kept["epoch"], kept["handlens"]["precision"]) == (1, "bf16")


def test_how_many_pictures_the_weights_have_seen_goes_on_over_starts(tmp_path: Path) -> None:
    net = toy()
    net.seen = 1_000  # as a .weights of Darknet says it
    fit(net, batches, loss, dataclasses.replace(PLAN, epochs=1), tmp_path, check, ABOUT)
    fit(toy(), batches, loss, dataclasses.replace(PLAN, epochs=2), tmp_path, check, ABOUT)
    note = read_checkpoint(tmp_path / "last.ckpt")["handlens"]
    assert (note["seen before"], note["seen"]) == (1_000, 2 * 6 * 4)
