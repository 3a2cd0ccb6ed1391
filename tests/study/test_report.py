"""The report: numbers follow from the events, it needs no network, and faces are blurred where that is asked for."""

import csv
import re
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest
from study_fakes import Steady, study
from tiny_clips import DARK, level_video

from handlens.cli import run
from handlens.study import charts
from handlens.study.config import MACHINE
from handlens.study.database import CodedEvent, Database, PersonRow
from handlens.study.figures import of_person, persons_of, together, warnings_of, worth_showing
from handlens.study.report import _blur, thumbnail, write_report
from handlens.study.results import Results
from handlens.study.run import run_study


@pytest.fixture
def coded(tmp_path):
    """A study of two videos of 6.67 s in which the model saw touches from 1 to 3 s and from 5 to 5.6 s."""
    for name in ("a.mp4", "b & c.mp4"):
        level_video(tmp_path / name)
    config = study(tmp_path / "s", [tmp_path / "a.mp4", tmp_path / "b & c.mp4"], subjects='"P<01>"')
    run_study(config, predictor=Steady([(1, 3), (5, 5.6)]))
    return config


def test_the_numbers_of_a_person_follow_from_the_frames_and_the_events(coded):
    with Database(coded.database) as base:
        view = Results(coded, base)
        (one,), events = persons_of(view, view.videos[0])
        assert (one.subject, one.touches, one.touched) == ("P<01>", 2, 2.6)
        assert (one.duration, one.observed, one.unobserved) == pytest.approx((6.667, 6.667, 0.0), abs=1e-3)
        assert (one.mean, one.median, one.longest) == (1.3, 1.3, 2.0)
        assert one.per_hour == pytest.approx(2 * 3600 / 6.667, rel=1e-3)
        assert one.share == pytest.approx(2.6 / 6.667, abs=1e-3)
        assert one.regions == {"chin": (2, 2.6)}
        assert [event.coder for event in events] == [MACHINE] * 2
        assert sum(one.person.certainty) == 100
        heat = np.array(one.person.heat)
        assert heat.sum() == pytest.approx(2.6, abs=0.01), "each second of touch stands somewhere on the face"
        assert heat[: heat.shape[0] // 2].sum() == 0, "it is the chin"
        (both,) = together([one, *persons_of(view, view.videos[1])[0]])
        assert (both.video, both.touches, both.touched, both.longest) == ("2 videos", 4, 5.2, 2.0)


def test_unobserved_time_is_what_shows_no_face(tmp_path):
    class Blind(Steady):
        def predict(self, frame, /, min_score=None, crop="hand"):
            result = super().predict(frame)
            from dataclasses import replace

            return result if frame.time < 4 else replace(result, value=result.value.select([1]))

    level_video(tmp_path / "a.mp4", [DARK] * 90)
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    run_study(config, predictor=Blind([(1, 3)]))
    with Database(config.database) as base:
        view = Results(config, base)
        (one,), _ = persons_of(view, view.videos[0])
        assert (one.observed, one.unobserved) == pytest.approx((4.0, 2.0), abs=1e-3)
        said = warnings_of(view.videos[0], [one])
        assert any("too dark" in each for each in said)
        assert any("less than five minutes" in each for each in said)


def test_warnings_of_small_and_sideways_faces():
    person = PersonRow("P01", 1000.0, 5000, 30.0, 400.0, 200.0, (10, *[0] * 9, 10, *[0] * 9), ())
    one = of_person("v", "P01", 1000.0, person, [])

    class Video:
        class analysis:  # noqa: N801
            problem, dark, start, stop, observed = "'v' is damaged.", 0.0, 0.0, 1000.0, 1000.0

    said = warnings_of(Video, [one])
    assert said[0] == "'v' is damaged."
    assert "smaller than 40 pixels in 40% of its time" in said[1]
    assert "lies on the side in 20%" in said[2]
    assert "unsure (30 to 70 %) of P01 in 50%" in said[3]
    assert len(said) == 4


@pytest.mark.slow
def test_the_page_is_whole_and_needs_no_network(coded, tmp_path):
    out = tmp_path / "r.html"
    code = run(
        ["study", "report", str(coded.folder), "--out", str(out), "--csv", str(tmp_path / "csv"), "--thumbnails", "1"]
    )
    assert code == 0
    page = out.read_text("utf-8")
    assert "P&lt;01&gt;" in page
    assert "<01>" not in page
    assert "b &amp; c" in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "<script" not in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "default-src 'none'" in page
    assert page.count("<svg") == page.count("</svg>") >= 8
    for one in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(one)
    with (tmp_path / "csv" / "persons.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["video"], row["subject"], row["touches"]) for row in rows] == [
        ("a", "P<01>", "2"),
        ("b & c", "P<01>", "2"),
    ]
    assert rows[0]["chin_s"] == "2.600"
    with (tmp_path / "csv" / "events.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    with (tmp_path / "csv" / "videos.csv").open(newline="") as file:
        assert [row["sha256"] for row in csv.DictReader(file)] == ["given", "given"]


def test_nothing_is_left_of_a_report_that_cannot_be_written(coded, tmp_path, monkeypatch):
    monkeypatch.setattr("handlens.study.report._provenance", lambda results: 1 / 0)
    with Database(coded.database) as base, pytest.raises(ZeroDivisionError):
        write_report(Results(coded, base), tmp_path / "r.html")
    assert list(tmp_path.glob("*r.html*")) == []
    (tmp_path / "no").write_text("a file, not a folder")
    assert run(["study", "report", str(coded.folder), "--out", str(tmp_path / "no" / "r.html")]) == 2


@pytest.mark.slow
def test_pictures_for_papers_have_300_dots_an_inch(coded, tmp_path):
    pytest.importorskip("matplotlib")
    out, pictures = str(tmp_path / "r.html"), tmp_path / "p"
    assert run(["study", "report", str(coded.folder), "--out", out, "--pictures", str(pictures)]) == 0
    names = sorted(file.name for file in pictures.iterdir())
    assert "a-timeline.png" in names
    assert "a-P_01_-face.svg" in names
    assert "regions.png" in names
    data = (pictures / "durations.png").read_bytes()
    place = data.index(b"pHYs")
    assert round(int.from_bytes(data[place + 4 : place + 8]) * 0.0254) == 300
    ET.parse(pictures / "regions.svg")


def test_plots_of_bland_and_altman(coded, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    (tmp_path / "x.csv").write_text("video,subject,label,start,stop\na.mp4,,chin,1,3\nb & c.mp4,,chin,1,3\n")
    command = [
        "study",
        "agree",
        str(coded.folder),
        "--coded",
        str(tmp_path / "x.csv"),
        "--pictures",
        str(tmp_path / "p"),
    ]
    assert run(command) == 0
    names = sorted(file.name for file in (tmp_path / "p").iterdir())
    assert names == [f"handlens-person_1-{what}.{kind}" for what in ("rate", "share") for kind in ("png", "svg")]
    said = capsys.readouterr().out
    assert "Touches per hour, first minus second: 540.00 (limits of agreement 540.00 to 540.00)" in said
    assert "time touched, first minus second: 9.00" in said


def test_a_blurred_face_cannot_be_recognised(coded):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (100, 120, 3), np.uint8)
    before = image.copy()
    _blur(image, (40, 30, 80, 70))
    assert (image[:20] == before[:20]).all()
    inside = image[20:80, 30:90].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) <= 12 * 12
    _blur(image, (0, 0, 0, 0))
    with Database(coded.database) as base:
        view = Results(coded, base)
        plain, blurred = (
            cv2.imdecode(np.frombuffer(thumbnail(view, view.videos[0], 2.0, each), np.uint8), 1)
            for each in (False, True)
        )
        assert plain.shape == blurred.shape == (225, 300, 3)


def test_faces_of_a_moment_are_left_out_of_the_page(coded):
    with Database(coded.database) as base:
        view = Results(coded, base)
        (one,), _ = persons_of(view, view.videos[0])
        passing = of_person("a", "face 9", 6.0, PersonRow("face 9", 1.9, 9, 50.0, 0, 0, (0,) * 20, ()), [])
        assert worth_showing([one, passing]) == ([one], 1)


def test_charts_of_nothing_are_still_charts():
    for text in (charts.timeline({}, 0.0), charts.region_bars({}), charts.heat([[0.0] * 24] * 32), charts.legend()):
        ET.fromstring(text)
    assert charts.histogram([0] * 20) == ""
    assert charts.heat([]) == ""
    event = CodedEvent("v", "x", "<b>", "touch", "chin", 1.0, 2.0, peak=0.5)
    assert "&lt;b&gt;" in charts.timeline({"<b>": [event]}, 10.0)
    assert [charts.clock(each) for each in (0, 61.4, 3725)] == ["0:00", "1:01", "1:02:05"]
