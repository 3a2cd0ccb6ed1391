"""The prepared job as a whole: every system is in it, in the best order, in lanes, and packed for another machine."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from handlens.train.config import Settings
from handlens.train.defaults import defaults_of
from recipes.published import hand_sets, measure, pack, published_sets, run, systems, try_resume

ALL = {"digits6", "gestures20", "snet", "vgg", "unet", "deeplabv3plus", "combined", "yolov3", "yolov5m", *systems.FACES}


def test_every_published_system_has_a_run_and_a_lane() -> None:
    assert {one.system for one in systems.RUNS.values()} == ALL
    lanes = [name for lane in systems.LANES.values() for name in lane]
    assert sorted(lanes) == sorted(systems.RUNS)


@pytest.mark.parametrize("name", list(systems.RUNS))
def test_its_settings_are_accepted_on_each_device(name: str) -> None:
    one = systems.RUNS[name]
    base = Settings(task=one.task, net=one.given["net"]).changed(defaults_of(one.given["net"]).settings)
    for given in (one.given, {**one.given, **one.on_gpu}):
        assert base.changed(given).plan.epochs == one.given.get("epochs", systems.EPOCHS)


def test_the_published_lengths() -> None:
    epochs = {name: systems.RUNS[name].given.get("epochs", systems.EPOCHS) for name in systems.RUNS}
    assert (epochs["yolov3"], epochs["snet"], epochs["vgg"], epochs["res50_ir"]) == (400, 100, 100, 200)


def asked(out: Path, *more: str):
    return run.arguments_of(["--data", "none", "--out", str(out), *more])


def state(folder: Path, epochs: int) -> None:
    folder.mkdir(parents=True)
    about = {"rows": {epoch: {} for epoch in range(epochs)}, "net": "digits6"}
    kept = {"state_dict": {"net.w": torch.full((40, 50), 0.1)}, "handlens": about, "epoch": epochs - 1}
    torch.save(kept, folder / "last.ckpt")


def test_those_that_need_the_fewest_hours_come_first_and_finished_ones_do_not(tmp_path: Path) -> None:
    order = run.in_order(asked(tmp_path))
    hours = [systems.RUNS[name].hours for name in order if not systems.RUNS[name].joins]
    assert hours == sorted(hours)
    assert order.index("combined") > order.index("digits6-random"), "it reads hands with digits6"
    assert order[-1] == "yolov3"

    state(tmp_path / "snet", 99)  # 5 hours, of which 3 minutes are left
    (tmp_path / "gestures20-random").mkdir()
    (tmp_path / "gestures20-random" / "numbers.json").write_text(json.dumps({"finished": True}))
    order = run.in_order(asked(tmp_path))
    assert order[0] == "snet"
    assert "gestures20-random" not in order
    assert run.in_order(asked(tmp_path, "--system", "digits6")) == ["digits6-random", "digits6-blocks"]
    assert run.in_order(asked(tmp_path, "--lane", "digits")) == list(systems.LANES["digits"])


def test_results_travel_in_parts_and_come_back_as_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "runs"
    state(home / "digits6-random", 3)
    state(home / "snet", 2)
    kept = torch.load(home / "snet" / "last.ckpt", weights_only=True)
    kept["state_dict"]["net.w"] = torch.rand(400, 400)
    torch.save(kept, home / "snet" / "last.ckpt")
    (home / "digits6-random" / "log.csv").write_text("epoch,loss\n1,2.0\n")
    (home / "table.json").write_text("[]")
    missing = pack.pack_results(home, tmp_path / "out", room=200_000, part=20_000)
    assert missing == ["snet"], "its 320 kB do not fit"
    assert "snet: its weights" in capsys.readouterr().out
    parts = sorted((tmp_path / "out").iterdir())
    assert max(path.stat().st_size for path in parts) <= 20_000
    pack.join(parts, tmp_path / "back")
    assert (tmp_path / "back" / "digits6-random" / "log.csv").read_text() == "epoch,loss\n1,2.0\n"
    back = torch.load(tmp_path / "back" / "digits6-random" / "best.ckpt", weights_only=True)
    assert back["state_dict"]["net.w"].dtype == torch.float32
    assert float((back["state_dict"]["net.w"] - 0.1).abs().max()) < 1e-4
    pack.pack_results(home, tmp_path / "one", room=500_000, part=500_000, systems=["snet"])
    pack.join(list((tmp_path / "one").iterdir()), tmp_path / "more")
    assert {path.parent.name for path in (tmp_path / "more").glob("*/best.ckpt")} == {"snet"}


def test_the_trial_of_a_kill_sees_other_weights_and_other_curves(tmp_path: Path) -> None:
    for name in ("a", "b"):
        state(tmp_path / name, 2)
        (tmp_path / name / "log.csv").write_text(f"epoch,minutes,loss\n1,{len(name)}.{ord(name[0])},2.5\n")
    assert try_resume.different(tmp_path / "a", tmp_path / "b") == ""
    (tmp_path / "b" / "log.csv").write_text("epoch,minutes,loss\n1,1.0,2.6\n")
    assert try_resume.different(tmp_path / "a", tmp_path / "b") == "the curves differ"
    kept = torch.load(tmp_path / "b" / "last.ckpt", weights_only=True)
    kept["state_dict"]["net.w"][0, 0] = float(np.nextafter(np.float32(0.1), np.float32(1)))
    torch.save(kept, tmp_path / "b" / "last.ckpt")
    assert "1 of 1 weights differ" in try_resume.different(tmp_path / "a", tmp_path / "b")


def test_a_table_holds_all_runs_that_were_measured(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    rows = [{"measured on": "held out", "name": "IoU hand", "value": 0.5}]
    (tmp_path / "unet" / "numbers.json").write_text(json.dumps({"run": "unet", "finished": True, "rows": rows}))
    measure.write_table(tmp_path)
    assert (
        tmp_path / "table.csv"
    ).read_text() == "run,finished,measured on,name,value\nunet,True,held out,IoU hand,0.5\n"


def test_the_module_of_trials_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(Path(run.__file__).with_name("dry_run.py")), run_name="__main__")
    line = next(line.split() for line in capsys.readouterr().out.splitlines() if "published.run " in line)
    words = [{"SYSTEM": "snet"}.get(word, word) for word in line[3:]]
    assert line[:3] == ["python", "-m", "recipes.published.run"]
    assert run.arguments_of(words).dry_run


def test_sets_of_a_trial_are_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def made(data: Path, place: Path, most: int = 0) -> None:
        asked.append(most)
        place.mkdir()

    monkeypatch.setattr(published_sets, "SETS", {"frames": made, "three": made})
    for small, home in ((True, "trial"), (False, "run")):
        published_sets.set_at("frames", tmp_path, tmp_path / home, small)
    assert published_sets.set_at(published_sets.AUGMENTED, tmp_path, tmp_path / "trial", True).name == "three"
    assert asked == [published_sets.FEW, 0, published_sets.FEW]
    assert not any(len(hand_sets.spread([{}] * 95, most)) > 1.5 * most for most in (5, 10, 40))
    assert len(hand_sets.spread([{}] * 95, 0)) == 95
