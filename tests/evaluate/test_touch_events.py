"""Events against coded events: numbers by hand, what the table may hold, and the command on a made video."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.cli import run
from handlens.errors import InputError
from handlens.evaluate.touch_events import Coded, measure_events, read_coded
from handlens.io.sinks.film import Film
from handlens.types import Event


def event(start: float, stop: float, label: str = "chin", side: str = "") -> Event:
    return Event("touch", label, "", start, stop, 0, 0, 1.0, side=side)


def coded(group: str, *events: Event) -> Coded:
    return Coded(Path(f"{group}.mp4"), group, events)


def test_the_numbers_by_hand() -> None:
    true = [coded("a", event(1, 2, side="left"), event(5, 6, "nose")), coded("b", event(3, 4)), coded("c")]
    seen = [[event(1.2, 2.5, side="right"), event(8, 9)], [event(3.1, 3.5, "mouth")], [event(0, 1)]]
    report = measure_events(true, seen, resamples=50)
    wanted = {
        "event precision": 2 / 4,
        "event recall": 2 / 3,
        "event F1": 4 / 7,
        "event region": 1 / 2,
        "event side": 0.0,
        "onset off by, seconds": 0.15,
    }
    assert {name: report[name].value for name in wanted} == pytest.approx(wanted)
    assert report["event recall"].n == 3
    assert report.notes[0].startswith("3 videos, 3 coded events")


def test_each_region_of_a_touch_of_two_is_right() -> None:
    true = [coded("a", event(1, 2, "mouth/chin"), event(3, 4, "mouth/chin"), event(5, 6, "mouth/chin"))]
    seen = [[event(1, 2, "chin"), event(3, 4, "mouth"), event(5, 6, "nose")]]
    assert measure_events(true, seen, resamples=5)["event region"].value == pytest.approx(2 / 3)


def test_false_events_by_what_was_shown() -> None:
    others = (("no_touch", 0.0, 30.0), ("overlap_no_touch", 30.0, 60.0), ("no_touch", 62.0, 92.0))
    one = Coded(Path("a.mp4"), "a", (event(60, 62),), others)
    seen = [event(29, 34), event(40, 41), event(60.5, 62), event(70, 71), event(100, 101)]
    report = measure_events([one], [seen], resamples=5)
    assert report["false events a minute, overlap_no_touch"].value == pytest.approx(4.0)  # two in half a minute
    assert report["false events a minute, no_touch"].value == pytest.approx(1.0)
    assert report["event precision"].value == pytest.approx(1 / 5)


def test_nothing_coded_and_nothing_seen() -> None:
    assert measure_events([coded("a")], [[]]).rows == ()


def film(path: Path, frames: int = 6) -> Path:
    with Film(path) as out:
        for number in range(frames):
            out.add(np.full((48, 64, 3), 40 * number, np.uint8), number / 10)
    return path


def test_a_table_is_read(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4")
    rows = ["source,start,stop,label,person", "a.mp4,0.1,0.3,chin,p1", "a.mp4,0.4,0.5,nose,p1", "b.mp4,,,,p2"]
    rows += ["b.mp4,0,0.2,overlap_no_touch,p2", "b.mp4,0.2,0.4,object_at_mouth,p2"]
    (tmp_path / "events.csv").write_text("\n".join(rows) + "\n")
    first, second = read_coded(tmp_path)
    assert [(e.start, e.stop, e.label) for e in first.events] == [(0.1, 0.3, "chin"), (0.4, 0.5, "nose")]
    assert (second.events, second.group) == ((), "p2")
    assert second.others == (("overlap_no_touch", 0.0, 0.2), ("object_at_mouth", 0.2, 0.4))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("none.mp4,0,1", "line 2: there is no video 'none.mp4'"),
        ("a.mp4,1,1", "ends after it began"),
        ("a.mp4,soon,1", "are not seconds"),
    ],
)
def test_a_wrong_table_is_a_sentence(tmp_path: Path, row: str, sentence: str) -> None:
    film(tmp_path / "a.mp4")
    (tmp_path / "events.csv").write_text(f"source,start,stop\n{row}\n")
    with pytest.raises(InputError, match=sentence):
        read_coded(tmp_path)


def test_the_command_measures_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film(tmp_path / "a.mp4")
    (tmp_path / "events.csv").write_text("source,start,stop\na.mp4,0.1,0.4\n")
    numbers = tmp_path / "n.json"
    assert run(["evaluate", "touch", "--data", str(tmp_path), "--json", str(numbers), "--resamples", "5"]) == 0
    assert "event recall" in capsys.readouterr().out
    rows = {row["name"]: row["value"] for row in json.loads(numbers.read_text())["rows"]}
    assert rows["event recall"] == 0.0  # a grey film shows no face
    assert rows["event precision"] is None


def test_a_model_of_hands_cannot_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events.csv").write_text("source,start,stop\na.mp4,0.1,0.4\n")
    assert run(["evaluate", "signs", "--data", str(tmp_path)]) == 2
    assert "'signs' does not tell touches" in capsys.readouterr().err


def test_a_folder_with_both_tables_is_measured_by_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film(tmp_path / "a.mp4")
    (tmp_path / "events.csv").write_text("source,start,stop\na.mp4,0.1,0.4\n")
    images = tmp_path / "images"
    images.mkdir()
    for name in ("x.png", "y.png"):
        cv2.imwrite(str(images / name), np.full((48, 64, 3), 90, np.uint8))
    (tmp_path / "labels.csv").write_text("file,label\nx.png,touch\ny.png,no_touch\n")
    numbers = tmp_path / "n.json"
    command = ["evaluate", "touch", "--data", str(tmp_path), "--split", "all", "--json", str(numbers)]
    assert run([*command, "--resamples", "5"]) == 0
    told = json.loads(numbers.read_text())
    assert {"benchmark", "events"} <= set(told)
    assert "event recall" in {row["name"] for row in told["events"]["rows"]}
