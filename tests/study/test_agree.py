"""`study agree` and `study export`: files of people are found, checked and compared; what is wrong is one sentence."""

import csv
import json

import pytest
from study_fakes import Steady, study
from tiny_clips import level_video

from handlens.cli import run
from handlens.errors import InputError
from handlens.study.agree import apa, apa_table, compare, import_coded, method_text
from handlens.study.config import load
from handlens.study.database import Database
from handlens.study.results import Results
from handlens.study.run import run_study

HEAD = "video,coder,subject,behaviour,region,side,start,stop\n"


@pytest.fixture
def coded(tmp_path):
    """A study of two videos in which the model saw touches of one person from 1 to 3 s and from 5 to 5.6 s."""
    for name in ("a.mp4", "b.mp4"):
        level_video(tmp_path / name)
    config = study(tmp_path / "s", [tmp_path / "a.mp4", tmp_path / "b.mp4"])
    run_study(config, predictor=Steady([(1, 3), (5, 5.6)]))
    return config


def people(tmp_path, *rows, name="anna.csv"):
    path = tmp_path / name
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return str(path)


def results(config):
    return Results(load(config.folder), Database(config.database))


def test_the_table_the_paragraph_and_the_json(coded, tmp_path, capsys):
    file = people(tmp_path, "a.mp4,anna,,touch,chin,,1.2,3", "a.mp4,anna,,touch,nose,,5,5.5", "b.mp4,anna,,touch,,,1,3")
    out = str(tmp_path / "agree.json")
    code = run(
        ["study", "agree", str(coded.folder), "--coded", file, "--bin", "0.5", "--tolerance", "0.3", "--json", out]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    told = json.loads((tmp_path / "agree.json").read_text())
    assert (told["first"], told["second"], told["bin_s"], told["tolerance_s"]) == ("handlens", "anna", 0.5, 0.3)
    whole = told["all"]
    assert (whole["precision"]["value"], whole["precision"]["n"]) == (0.75, 4)
    assert whole["recall"]["value"] == 1.0
    assert whole["onset_error_s"]["value"] == pytest.approx(-0.2 / 3, abs=1e-6)
    assert set(told["regions"]) == {"nose", "chin"}
    assert told["regions"]["nose"]["precision"]["n"] == 0
    assert set(told["persons"]) == {"a, face 1", "b, face 1"}, "who was coded without a name is the one who was seen"
    assert "Cohen's kappa" in said.out
    assert "matched one to one where their onsets differed by at most 0.3 s" in said.out
    assert "bins of 0.5 s" in said.out


def test_an_unknown_name_counts_as_the_one_face_and_this_is_said(coded, tmp_path):
    with Database(coded.database) as base:
        view = Results(coded, base)
        said = []
        file = people(tmp_path, "a.mp4,anna,Tim,touch,,,1,3", "a.mp4,anna,Tim,touch,,,5,6", "b.mp4,anna,,touch,,,1,3")
        import_coded(view, [file], said.append)
        assert len(said) == 1
        assert "codes the person 'Tim' and 'a' shows one face: they count as one person" in said[0]
        pair = compare(view, ["anna"]).pairs[0]
        assert set(pair.persons) == {"a, face 1", "b, face 1"}
        assert pair.all.kappa.low is not None, "two persons give an interval"


@pytest.mark.parametrize("flags", [["report", "--out"], ["export", "--format", "csv", "--out"], ["agree", "--json"]])
@pytest.mark.parametrize("place", [".", "/"])
def test_a_folder_is_no_file_to_write(coded, tmp_path, flags, place, capsys):
    verb, *rest = flags
    more = ["--coded", people(tmp_path, "a.mp4,anna,,touch,,,1,3")] if verb == "agree" else []
    assert run(["study", verb, str(coded.folder), *more, *rest, place]) == 2
    assert f"'{place}' is a folder: give the name of a file." in capsys.readouterr().err


def test_what_people_coded_stays_in_the_database_until_they_code_it_anew(coded, tmp_path):
    with Database(coded.database) as base:
        view = Results(coded, base)
        assert import_coded(view, [people(tmp_path, "a.mp4,,,touch,,,1,3", "a.mp4,,,touch,,,4,5")]) == ["person 1"]
        assert len(base.events(1, "person 1")) == 2
        import_coded(view, [people(tmp_path, "a.mp4,,,touch,,,1,3")])
        assert len(base.events(1, "person 1")) == 1
        assert len(view.events(view.videos[0])) == 2, "the events of the model are untouched"
        assert [one.name for one in view.observations("person 1")] == ["a"]


def test_three_coders_are_compared_in_pairs_and_together(coded, tmp_path):
    with Database(coded.database) as base:
        view = Results(coded, base)
        one = people(tmp_path, "a.mp4,,,touch,,,1,3", "b.mp4,,,touch,,,1,3")
        two = people(tmp_path, "a.mp4,,,touch,,,1,3", name="ben.csv")
        assert import_coded(view, [one, f"Ben={two}"]) == ["person 1", "Ben"]
        report = compare(view, ["person 1", "Ben"])
        assert [(pair.first, pair.second, pair.videos) for pair in report.pairs] == [
            ("handlens", "person 1", 2),
            ("handlens", "Ben", 1),
            ("person 1", "Ben", 1),
        ]
        assert report.pairs[2].all.kappa.value == 1.0
        assert report.alpha_of_all.n == 14
        assert "Table 3" in apa_table(report.pairs[2], 3)
        assert "person 1" in method_text(view, report)


def test_two_unnamed_files_of_one_video_are_two_persons(coded, tmp_path):
    with Database(coded.database) as base:
        files = [people(tmp_path, "a.mp4,,,touch,,,1,3", name=name) for name in ("x.csv", "y.csv")]
        assert import_coded(Results(coded, base), files) == ["person 1", "person 2"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["other.mp4,,,touch,,,1,2"], "is about 'other.mp4', which is not a video of this study (a, b)"),
        (
            ["a.mp4,,,touch,,,100,102"],
            "has an event at 102.0 s, and the video 'a' ends at 6.7 s: the file was coded on",
        ),
        (["a.mp4,,,smile,,,1,2"], "codes no touch that is known, only 'smile'"),
        (["a.mp4,,,touch,,,2,1"], "row 2: an event cannot last from 2 to 1 s"),
        (["a.mp4,handlens,,touch,,,1,2"], None),
    ],
)
def test_wrong_files_are_refused_and_nothing_is_stored(coded, tmp_path, rows, said):
    with Database(coded.database) as base:
        view = Results(coded, base)
        if said is None:
            assert import_coded(view, [people(tmp_path, *rows)]) == ["person 1"], "a person may correct our own export"
            return
        with pytest.raises(InputError) as caught:
            import_coded(view, [people(tmp_path, "a.mp4,,,touch,,,1,2", name="good.csv"), people(tmp_path, *rows)])
        assert said in str(caught.value)
        assert base.coders(1) == []


def test_unknown_behaviours_and_overlaps_are_said_and_the_rest_is_used(coded, tmp_path):
    said = []
    rows = ["a.mp4,,,touch,chin,,1,2", "a.mp4,,,touch,chin,,1.5,3", "a.mp4,,,smile,,,1,2", "a.mp4,,,scratch,,,4,5"]
    path = coded.folder / "study.toml"
    path.write_text(path.read_text().replace("behaviours = { }", 'behaviours = { "Scratch" = "cheek" }'))
    with Database(coded.database) as base:
        import_coded(Results(load(coded.folder), base), [people(tmp_path, *rows)], said.append)
        told = [(event.start, event.stop, event.region) for event in base.events(1, "person 1")]
        assert told == [(1.0, 3.0, "chin"), (4.0, 5.0, "cheek")]
    assert len(said) == 2
    assert "1 overlapping events of one person at one place were joined" in said[0]
    assert "'smile' (1)" in said[1]
    assert "[coding] behaviours" in said[1]


def test_a_person_who_is_not_there_is_refused_where_several_are(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"], subjects='{ left = "child", right = "mother" }')
    run_study(config, predictor=Steady([(1, 3)]))
    with Database(config.database) as base:
        view = Results(config, base)
        assert {event.subject for event in view.events(view.videos[0])} == {"child"}, "the face lies in the left half"
        import_coded(view, [people(tmp_path, "a.mp4,,Child,touch,,,1,2")])
        assert base.events(1, "person 1")[0].subject == "child"


def test_exports_of_two_coders(coded, tmp_path, capsys):
    folder = str(coded.folder)
    assert run(["study", "agree", folder, "--coded", people(tmp_path, "a.mp4,,,touch,,,1,3")]) == 0
    out = str(tmp_path / "both.csv")
    assert (
        run(["study", "export", folder, "--format", "csv", "--out", out, "--coder", "handlens", "--coder", "person 1"])
        == 0
    )
    lines = (tmp_path / "both.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 + 1
    assert run(["study", "export", folder, "--format", "boriz", "--out", out]) == 2
    assert "did you mean 'boris'" in capsys.readouterr().err
    (tmp_path / "no").write_text("a file, not a folder")
    assert run(["study", "export", folder, "--format", "csv", "--out", str(tmp_path / "no" / "x.csv")]) == 2
    assert run(["study", "export", folder, "--format", "csv", "--out", out, "--coder", "carla"]) == 2
    assert "nothing was coded by carla" in capsys.readouterr().err


def test_nobody_coded(coded, capsys):
    assert run(["study", "agree", str(coded.folder)]) == 2
    assert "nobody coded this study yet" in capsys.readouterr().err


def test_init_status_and_what_is_not_a_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("one/a.mp4", "two/a.mp4", "b.mp4"):
        level_video(tmp_path / name)
    assert run(["study", "init", "s", "--videos", "one/a.mp4", "two/a.mp4", "b.mp4"]) == 0
    config = load("s")
    assert [video.name for video in config.videos] == ["one_a", "two_a", "b"]
    assert all(config.file_of(video).exists() for video in config.videos)
    assert run(["study", "init", "s", "--videos", "b.mp4"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(["study", "status", "s", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in told["videos"]] == ["new"] * 3
    assert run(["study", "status", "nowhere"]) == 2
    assert "is not a study: it has no study.toml" in capsys.readouterr().err
    assert run(["study", "export", "s", "--format", "csv", "--out", "x.csv"]) == 2
    assert "has no results yet: type handlens study run" in capsys.readouterr().err
    run_study(config, predictor=Steady([(1, 3)]))
    (tmp_path / "b.mp4").unlink()
    assert run(["study", "status", "s"]) == 0
    shown = capsys.readouterr().out
    assert "coded" in shown
    assert "gone" in shown


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("segment_s", "segment", "unknown key in [model] 'segment': did you mean 'segment_s'?"),
        ("open = 0.5", "open = 0.2", "events need 0 <= close <= open <= 1"),
        ("open = 0.5", 'open = "half"', "open must be a number, got 'half'"),
        ('"forehead"', '"nosee"', "unknown region 'nosee': did you mean 'nose'?"),
        ('subjects = ""', 'subjects = { top = "x" }', "subjects knows left, middle, right"),
        ('subjects = ""', 'subjects = { left = "x", "face 1" = "y" }', "not both"),
        ('subjects = ""', "rotate = 45", "rotate must be 0, 90, 180 or 270"),
        ('subjects = ""', 'start = "noon"', "start must be a time such as"),
        ("[study]", "[study", "is not valid TOML"),
        ('name = "b"', 'name = "a"', "two videos are called 'a'"),
        ("b.mp4", "a.mp4", "'a' and 'b' are the same file"),
    ],
)
def test_what_study_toml_may_not_say(coded, old, new, said):
    path = coded.folder / "study.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        load(coded.folder)
    assert said in str(caught.value)
    assert "study.toml" in str(caught.value)


def test_figures_are_written_as_apa_asks():
    assert [apa(value, True) for value in (0.834, 1.0, -0.05, 0.0, None)] == [".83", "1.00", "-.05", ".00", "-"]
    assert [apa(value, False) for value in (0.834, -0.05, -12.5)] == ["0.83", "-0.05", "-12.50"]


def test_two_cameras_with_clocks_become_one_observation(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        level_video(tmp_path / name)
    config = study(tmp_path / "s", [tmp_path / "a.mp4", tmp_path / "b.mp4"], subjects='"P01"')
    path = config.folder / "study.toml"
    text = path.read_text()
    first, second = text.index('path = "', text.index("[[video]]")), text.rindex('path = "')
    clocks = (
        'scene = "lab"\nstart = 2026-11-30T14:05:10\nstart_at = 10\n',
        'scene = "lab"\nstart = 2026-11-30T14:05:01\n',
    )
    path.write_text(text[:first] + clocks[0] + text[first:second] + clocks[1] + "offset = 0.5\n" + text[second:])
    config = load(config.folder)
    run_study(config, predictor=Steady([(1, 3), (5, 5.6)]))
    with Database(config.database) as base:
        (one,) = Results(config, base).observations()
        assert one.name == "lab"
        assert [film.offset for film in one.media] == [0.0, 1.5]
        assert [(e.start, e.stop) for e in one.events] == [(1.0, 4.5), (5.0, 5.6), (6.5, 7.1)]
        assert str(one.start) == "2026-11-30 14:05:00"
        (person,) = one.persons
        seconds = base.persons(1)[0].observed
        assert person.observed == pytest.approx(seconds + 1.5, abs=0.01), "1.5 s were seen by the second camera only"
        assert person.seen == ((0.0, pytest.approx(seconds + 1.5, abs=0.01)),)
    assert run(["study", "report", str(config.folder), "--out", str(tmp_path / "r.html"), "--csv", str(tmp_path)]) == 0
    page = (tmp_path / "r.html").read_text()
    assert "2 videos of 1 scene" in page
    assert "3 touches" in page, "what two cameras saw is one touch"
    assert "Scene lab" in page
    (row,) = csv.DictReader((tmp_path / "scenes.csv").read_text().splitlines())
    assert (row["video"], row["touches"]) == ("lab", "3")
    assert float(row["observed_s"]) == pytest.approx(seconds + 1.5, abs=0.01)
    out = tmp_path / "lab.boris"
    assert run(["study", "export", str(config.folder), "--format", "boris", "--out", str(out)]) == 0
    told = json.loads(out.read_text())["observations"]["lab"]
    assert told["media_info"]["offset"] == {"1": 0.0, "2": 1.5}
    assert [len(told["file"][player]) for player in "123"] == [1, 1, 0]


def test_mixed_clocks_are_refused(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    path = config.folder / "study.toml"
    path.write_text(path.read_text() + "start_at = -1\n")
    with pytest.raises(InputError, match="start_at must be at least 0"):
        load(config.folder)


def test_the_report_shows_the_agreement_with_the_settings_that_were_used(coded, tmp_path):
    page = tmp_path / "r.html"
    assert run(["study", "report", str(coded.folder), "--out", str(page)]) == 0
    assert "<h2>Agreement" not in page.read_text()
    file = people(tmp_path, "a.mp4,anna,,touch,chin,,1,3")
    line = ["study", "agree", str(coded.folder), "--coded", str(file), "--bin", "0.25", "--tolerance", "0.7"]
    assert run(line) == 0
    assert run(["study", "report", str(coded.folder), "--out", str(page)]) == 0
    text = page.read_text()
    assert "<td>handlens and anna</td>" in text
    assert "Bins of 0.25 s; events are the same where their onsets differ by at most 0.7 s" in text
