"""The one training loop, on Lightning: rate, averaged weights, checkpoints that resume, early stopping; knows no task.

Lightning and not Accelerate, because it brings what every run here needs and we would else write ourselves: the
checkpoint of the whole state, early stopping, averaged weights, bf16, and several devices or machines, for one loop.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from torch import Tensor, nn

from handlens.errors import InputError, OutputError
from handlens.train.checkpoints import ABOUT, BEST, LAST, SEEN_BEFORE, read_checkpoint
from handlens.train.config import Plan
from handlens.train.log import Log
from handlens.train.nets.catalog import current_name
from handlens.train.optim import Averaging, optimiser, set_rate
from handlens.train.precision import Batch, Loss, faster_precision


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's hints off the user's stderr; what goes wrong is raised."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


LOG = "log.csv"
SCORE = "score"
"""What `check` calls the number that decides which epoch was the best; larger is better."""

LOSSES = ("log loss", "loss")
"""What decides between epochs of equal score, lower is better: the first that `check` returns, or the epoch's loss."""

TIE = "tie"


def fit(
    net: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    loss: Loss,
    plan: Plan,
    out: Path,
    check: Callable[[nn.Module], Mapping[str, float]] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Train `net` in place and return the best checkpoint (the last one without `check`); resumes from `out`/last.ckpt.

    Args:
        batches: The epoch's number -> its batches, the same ones each time it is asked.
        check: Measures the averaged net with numbers, "score" among them.
        about: Kept in the checkpoint, plain values only.

    Raises:
        InputError: the loss became NaN, or a checkpoint of another net or plan; the last good checkpoint is intact.
        OutputError: the disk is full.
        KeyboardInterrupt: Ctrl-C; the epochs that were finished are kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    net.to(memory_format=torch.channels_last)
    resumed = out / LAST if (out / LAST).exists() else None
    kept = read_checkpoint(resumed).get(ABOUT, {}) if resumed is not None else {}
    precision = plan.precision
    if precision == "auto":  # timed once: a run that goes on in another format would give other weights
        precision = str(kept.get("precision") or faster_precision(net, loss, next(iter(batches(0)))))
    before = int(kept.get(SEEN_BEFORE, getattr(net, "seen", 0)))
    about = {**(about or {}), "precision": precision, SEEN_BEFORE: before}
    module = TrainingModule(net, batches, loss, plan, Log(out / LOG, plan.epochs), check, about)
    with quiet_lightning():
        trainer = _trainer(plan, precision, out, check is not None)
        resumed = out / LAST
        try:
            trainer.fit(module, ckpt_path=resumed if resumed.exists() else None, weights_only=True)
        except SystemExit as error:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt("interrupted: finished epochs are kept, the same command goes on.") from error
        except (OSError, RuntimeError) as error:
            raise _explained(error, out) from error
    best = out / BEST
    return best if best.exists() else out / LAST


class TrainingModule(pl.LightningModule):
    """One net, its batches and its loss, as Lightning wants them."""

    def __init__(
        self,
        net: nn.Module,
        batches: Callable[[int], Iterable[Batch]],
        loss: Loss,
        plan: Plan,
        log: Log,
        check: Callable[[nn.Module], Mapping[str, float]] | None,
        about: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.net, self.batches, self.loss, self.plan = net, batches, loss, plan
        self.book, self.check, self.about = log, check, dict(about)
        self.spent, self.began, self.seen = 0.0, time.monotonic(), 0
        self.sums: dict[str, float] = {}
        self.count = 0

    def train_dataloader(self) -> Iterable[Batch]:
        """Return the batches of the epoch that begins; Lightning asks every epoch.

        A run that its minutes will end skips numbers, so that what changes with the epoch comes in time.
        """
        epoch = self.trainer.current_epoch
        return Epoch(self.batches(max(epoch, int(self._done(epoch) * self.plan.epochs))))

    def val_dataloader(self) -> Any:
        """One empty batch: the check looks at the validation part itself."""
        return [torch.zeros(1)] if self.check else []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Kernels with weight decay, norms and biases without."""
        return optimiser(self.net, self.plan)

    def on_fit_start(self) -> None:
        self.began = time.monotonic()

    def on_train_epoch_start(self) -> None:
        self.sums, self.count = {}, 0

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the rate of this step; end the run when its time is over."""
        total = int(self.trainer.num_training_batches)
        # Dropout, the same when resumed; the loader draws a number too, now and then, so it is seeded at every step.
        torch.manual_seed((self.plan.seed * 100_003 + self.trainer.current_epoch) * 1_000_003 + batch_idx)
        epoch = self.trainer.current_epoch + batch_idx / total
        done = self._done(epoch)
        if done >= 1 and self.plan.minutes:
            self.trainer.should_stop = True
        if self.trainer.should_stop or self.trainer.current_epoch + 1 == self.plan.epochs:
            self.trainer.check_val_every_n_epoch = 1  # the end of a run is measured, whatever `check` says
        set_rate(self.trainer.optimizers[0], self.plan, done, epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        parts = self.loss(self.net, batch)
        if not torch.isfinite(parts["loss"]):
            place = f"epoch {self.trainer.current_epoch + 1}, step {batch_idx + 1}"
            raise InputError(
                f"the loss became {parts['loss'].item()} in {place}: "
                f"try a lower --rate (it is {self.plan.rate:g}) or --precision 32; finished epochs are kept."
            )
        for key, value in parts.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value.detach())
        self.count += 1
        self.seen += len(batch["image"])
        return parts["loss"]

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Measure the averaged net in 32 bits, and write the epoch's row."""
        assert self.check is not None
        was = self.net.training
        self.net.eval()
        with torch.autocast(self.device.type, enabled=False):
            found = dict(self.check(self.net))
        self.net.train(was)
        loss = next((found[key] for key in LOSSES if key in found), self.sums.get("loss", 0.0) / max(1, self.count))
        for key, value in ((SCORE, found[SCORE]), (TIE, loss)):
            self.log(key, float(value), batch_size=1, sync_dist=self.trainer.world_size > 1)
        self._note({f"val_{key}": float(value) for key, value in found.items() if key != SCORE})

    def on_train_epoch_end(self) -> None:
        if self.trainer.current_epoch not in self.book.rows:
            self._note({})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        spent = 60 * self._minutes()
        checkpoint[ABOUT] = {**self.about, "rows": self.book.rows, "spent": spent, "seen": self.seen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        kept = checkpoint.get(ABOUT, {})
        begun, now = (current_name(str(about.get("net"))) for about in (kept, self.about))
        if begun != now or kept.get("names") != self.about.get("names"):
            raise InputError(
                f"the run was begun with the net '{kept.get('net')}' and the labels {kept.get('names')}:"
                " give another --out, or --fresh to start over."
            )
        self.spent, self.seen = float(kept["spent"]), int(kept["seen"])
        self.book.restore(kept["rows"], int(checkpoint["epoch"]) + 1)

    def _done(self, epoch: float) -> float:
        """Return the share of the run that is over: of its epochs, or of its minutes where they will end it."""
        share = self._minutes() / self.plan.minutes if self.plan.minutes else 0.0
        return max(epoch / self.plan.epochs, share)

    def _minutes(self) -> float:
        return (self.spent + time.monotonic() - self.began) / 60

    def _note(self, measured: Mapping[str, float]) -> None:
        if not self.trainer.is_global_zero or not self.count:
            return
        rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        row = {"seen": float(self.seen), "minutes": self._minutes(), "rate": rate}
        means = {key: value / self.count for key, value in self.sums.items()}
        self.book.note(self.trainer.current_epoch, {**row, **means, **measured})


class Last(ModelCheckpoint):
    """Keeps the last epoch: every `plan.save` of them, and the one that ends the run."""

    def __init__(self, out: Path, plan: Plan) -> None:
        super().__init__(out, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        self.plan = plan

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Write the checkpoint where it is time, or where the run ends."""
        done = trainer.current_epoch + 1
        if done % self.plan.save == 0 or done == self.plan.epochs or trainer.should_stop:
            super().on_train_epoch_end(trainer, module)


class Best(ModelCheckpoint):
    """Keeps the epoch of the highest score; of equal scores the one with the lower loss."""

    def __init__(self, out: Path) -> None:
        super().__init__(out, "best", monitor=SCORE, mode="max", enable_version_counter=False)
        self.lowest = math.inf

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Return whether the epoch that was just measured is the best one so far."""
        loss = float(trainer.callback_metrics[TIE])
        better = super().check_monitor_top_k(trainer, current)
        if not better and current is not None and self.best_model_score is not None:
            better = float(current) == float(self.best_model_score) and loss < self.lowest
        if better:
            self.lowest = loss
        return better

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lowest": self.lowest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.lowest = float(state_dict.get("lowest", math.inf))
        super().load_state_dict(state_dict)


class Epoch:
    """The batches of one epoch; Lightning would take a bare list for several loaders."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]


def _trainer(plan: Plan, precision: str, out: Path, checked: bool) -> pl.Trainer:
    last = Last(out, plan)
    callbacks: list[Callback] = [last]
    if checked:
        callbacks.append(Best(out))
    if plan.average:
        callbacks.append(Averaging(plan.average))
    if plan.patience and checked:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=plan.patience))
    shown = sys.stderr.isatty()
    if shown:
        callbacks.append(RichProgressBar(leave=False, console_kwargs={"stderr": True}))
    return pl.Trainer(
        accelerator=plan.device.lower(),
        devices=plan.devices,
        num_nodes=plan.nodes,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=plan.epochs,
        limit_train_batches=plan.steps or 1.0,
        limit_val_batches=1 if checked else 0,
        check_val_every_n_epoch=plan.check,
        accumulate_grad_batches=plan.accumulate,
        gradient_clip_val=plan.clip or None,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_progress_bar=shown,
        enable_model_summary=False,
        logger=False,
        callbacks=callbacks,
        default_root_dir=out,
    )


def _explained(error: OSError | RuntimeError, out: Path) -> Exception:
    """Return the sentence for what the disk did, or for a checkpoint of another net; anything else stays as it is."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        return OutputError(f"the run cannot be written under '{out}': {error.strerror or text}.")
    if any(word in text for word in ("PytorchStreamWriter", "No space left")):
        return OutputError(f"the checkpoint cannot be written under '{out}': the disk may be full ({text}).")
    if "loading state_dict" in text:
        return InputError(f"'{out / LAST}' is of another net: give another --out, or --fresh to start over.")
    return error
