"""The formats of coding programs: what is written is read back equal, and files of these programs are read."""

import csv
import itertools
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from handlens.errors import InputError
from handlens.study.database import CodedEvent, PersonRow
from handlens.study.formats import boris, textgrid, vtt
from handlens.study.formats.coding import Mark, understood, without_overlaps
from handlens.study.formats.write import read, write
from handlens.study.results import Media, Observation, merged


def event(start, stop, subject="P01", region="chin", **more):
    return CodedEvent("lab 1", "handlens", subject, "touch", region, start, stop, **more)


EVENTS = (
    event(1.0, 2.5, side="left", hand="right", peak=0.93, start_frame=25, stop_frame=62),
    event(2.5, 3.0, region="nose", peak=0.7),
    event(2.75, 4.125, subject="mother & child", region="ear", side="right"),
    event(10.0, 10.5, region="", peak=0.55),
    event(3600.25, 3601.0, region="mouth", hand="left"),
)
PERSON = PersonRow("quiet one", 3.0, 75, 80.0, 0.0, 0.0, (0,) * 20, ())


def seen(tmp_path, events=EVENTS, coder="handlens"):
    film = Media(tmp_path / "lab 1.mp4", 25.0, 3700.0, 640, 480, 0.0)
    return Observation("lab 1", coder, (film,), 0.0, datetime(2026, 11, 30, 14, 5), events, (PERSON,))


def back(path, coder="anna"):
    (coding,) = read(path)
    events, others = understood(coding, coder, "lab 1", {})
    assert others == {}
    assert coding.problems == ()
    return coding, sorted((e.start, e.stop, e.subject, e.region, e.side, e.hand) for e in events)


WRITTEN = sorted((e.start, e.stop, e.subject, e.region, e.side, e.hand) for e in EVENTS)


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("boris", "out.boris"),
        ("boris-events", "out.csv"),
        ("eaf", "out.eaf"),
        ("textgrid", "out.TextGrid"),
        ("csv", "out.csv"),
        ("vtt", "out.vtt"),
    ],
)
def test_what_is_written_is_read_back_equal(tmp_path, format, name):
    (file,) = write(format, [seen(tmp_path)], tmp_path / name, "study", "")
    assert back(file)[1] == WRITTEN


def test_datavyu_is_read_back_with_names_that_it_takes(tmp_path):
    (file,) = write("datavyu", [seen(tmp_path)], tmp_path / "lab 1.csv", "study", "")
    names = {"mother & child": "mother_child"}
    expected = sorted((*e[:2], names.get(e[2], e[2]), *e[3:]) for e in WRITTEN)
    assert back(file)[1] == expected
    assert file.read_text().splitlines()[:3] == [
        "#4",
        "P01 (MATRIX,true,)-region|NOMINAL,side|NOMINAL,hand|NOMINAL",
        "00:00:01:000,00:00:02:500,(chin,left,right)",
    ]


@pytest.mark.parametrize("format", ["eaf", "textgrid", "datavyu", "vtt"])
def test_formats_of_one_video_write_a_file_for_each(tmp_path, format):
    two = [seen(tmp_path), replace(seen(tmp_path), name="lab/2")]
    files = write(format, two, tmp_path / "all", "study", "")
    assert [file.stem for file in files] == ["lab 1", "lab_2"]
    with pytest.raises(InputError, match="two videos would be written to 'lab_2"):
        write(format, [replace(two[0], name="lab:2"), two[1]], tmp_path / "all", "study", "")


def test_a_boris_project_has_what_boris_expects(tmp_path):
    first = seen(tmp_path)
    other = Media(tmp_path / "b.mp4", 30.0, 100.0, 640, 480, 2.5)
    both = replace(first, name="scene", media=(first.media[0], other), time_offset=1.5)
    told = json.loads(boris.project([first, both], "study", "about"))
    assert told["project_format_version"] == "7.0"
    assert [one["name"] for one in told["subjects_conf"].values()] == ["P01", "mother & child", "quiet one"]
    (behaviour,) = told["behaviors_conf"].values()
    assert (behaviour["type"], behaviour["code"]) == ("State event", "touch")
    assert [behaviour["modifiers"][key]["name"] for key in "012"] == ["region", "side", "hand"]
    one = told["observations"]["lab 1"]
    assert one["file"]["1"] == [str((tmp_path / "lab 1.mp4").resolve())]
    assert one["media_info"]["offset"] == {"1": 0.0}
    assert one["date"] == "2026-11-30T14:05:00.000"
    assert one["events"][0] == [1.0, "P01", "touch", "chin|left|right hand", "p=0.93", 25]
    assert one["events"][1] == [2.5, "P01", "touch", "chin|left|right hand", "", 62]
    assert len(one["events"]) == 2 * len(EVENTS)
    assert told["observations"]["scene"]["media_info"]["offset"] == {"1": 0.0, "2": 2.5}
    assert told["observations"]["scene"]["time offset"] == 1.5


def test_touching_events_of_one_kind_do_not_pair_wrongly_in_boris(tmp_path):
    events = (event(1.0, 2.0), event(2.0, 3.0), event(2.5, 2.75))
    file = tmp_path / "a.boris"
    file.write_text(boris.project([seen(tmp_path, events)], "s", ""))
    assert [(start, stop) for start, stop, *_ in back(file)[1]] == [(1.0, 1.999), (2.0, 3.0)]


def test_several_coders_are_told_apart(tmp_path):
    two = [seen(tmp_path), seen(tmp_path, EVENTS[:1], "anna")]
    assert list(json.loads(boris.project(two, "s", ""))["observations"]) == ["lab 1 (handlens)", "lab 1 (anna)"]
    (file,) = write("eaf", two, tmp_path / "a.eaf", "s", "")
    assert {coding.coder: len(coding.marks) for coding in read(file)} == {"handlens": 5, "anna": 1}
    (file,) = write("csv", two, tmp_path / "a.csv", "s", "")
    assert {coding.coder: len(coding.marks) for coding in read(file)} == {"handlens": 5, "anna": 1}


def test_an_eaf_is_well_formed_for_elan(tmp_path):
    (file,) = write("eaf", [seen(tmp_path)], tmp_path / "a.eaf", "s", "")
    root = ET.parse(file).getroot()
    assert (root.tag, root.get("FORMAT"), root.get("VERSION")) == ("ANNOTATION_DOCUMENT", "3.0", "3.0")
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./lab 1.mp4"
    assert media.get("MEDIA_URL").startswith("file:///")
    assert media.get("MEDIA_URL").endswith("lab%201.mp4")
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    for tier in root.iter("TIER"):
        spans = sorted(
            (slots[each.get("TIME_SLOT_REF1")], slots[each.get("TIME_SLOT_REF2")])
            for each in tier.iter("ALIGNABLE_ANNOTATION")
        )
        assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(spans)), "ELAN allows no overlap"
    ids = [each.get("ANNOTATION_ID") for each in root.iter() if each.get("ANNOTATION_ID")]
    assert len(ids) == len(set(ids)) == len(EVENTS) + 3  # three have a side or a hand
    assert {tier.get("TIER_ID") for tier in root.iter("TIER")} >= {"P01", "side@P01", "quiet one"}
    words = {value.text for value in root.iter("CVE_VALUE")}
    assert {"touch", "chin", "left", "left right hand"} <= words


def test_overlapping_touches_of_one_person_get_tiers_of_their_own(tmp_path):
    events = (event(1.0, 3.0), event(2.0, 4.0, region="nose"))
    for format, name in (("eaf", "a.eaf"), ("textgrid", "a.TextGrid")):
        (file,) = write(format, [seen(tmp_path, events)], tmp_path / name, "s", "")
        assert back(file)[1] == [(1.0, 3.0, "P01", "chin", "", ""), (2.0, 4.0, "P01", "nose", "", "")]


def test_a_textgrid_covers_the_whole_time(tmp_path):
    text = textgrid.document(seen(tmp_path))
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 3700\n')
    assert text.count('class = "IntervalTier"') == 3
    assert 'text = "chin left right hand"' in text


OLD_BORIS = """\
Observation id,observation #1,,,,,,,
,,,,,,,,
Media file(s),,,,,,,,
Player #1,lab 1.mp4,,,,,,,
,,,,,,,,
Time,Media file path,Total length,FPS,Subject,Behavior,Behavioral category,Comment,Status
3.300,C:\\films\\lab 1.mp4,359.960,25.0,P01,chin,,,START
7.750,C:\\films\\lab 1.mp4,359.960,25.0,P01,chin,,,STOP
8.000,C:\\films\\lab 1.mp4,359.960,25.0,P01,touch,,,START
9.000,C:\\films\\lab 1.mp4,359.960,25.0,P01,nose,,,POINT
"""
AGGREGATED = (
    "Observation id\tMedia file name\tSubject\tBehavior\tModifier #1\tBehavior type\tStart (s)\tStop (s)\n"
    "one\tlab 1.mp4\tNo focal subject\ttouch\tear\tSTATE\t1.5\t2.25\none\tlab 1.mp4\tP01\tnose\t\tPOINT\t4\tNA\n"
)


def test_tables_of_old_and_new_boris_are_read(tmp_path):
    (tmp_path / "old.csv").write_text(OLD_BORIS)
    (coding,) = read(tmp_path / "old.csv")
    assert (coding.video, coding.names) == ("lab 1.mp4", ("observation #1",))
    assert [(mark.start, mark.stop, mark.words[0]) for mark in coding.marks] == [
        (3.3, 7.75, "chin"),
        (9.0, 9.0, "nose"),
    ]
    assert coding.problems == (
        f"'{tmp_path / 'old.csv'}': the event 'touch' of 'P01' that begins at 8.00 s has no end and is left out.",
    )
    (tmp_path / "new.tsv").write_text(AGGREGATED)
    assert back(tmp_path / "new.tsv")[1] == [(1.5, 2.25, "", "ear", "", ""), (4.0, 4.0, "P01", "nose", "", "")]


def test_a_project_of_boris_with_point_events_and_two_observations_is_read(tmp_path):
    told = {
        "behaviors_conf": {"0": {"code": "ft", "type": "State event"}, "1": {"code": "scratch", "type": "Point event"}},
        "observations": {
            "a": {
                "file": {"1": ["/x/a.mp4"]},
                "events": [[4, "s", "ft", "Chin,left", ""], [5.5, "s", "ft", "Chin,left", ""]],
            },
            "b": {"file": [], "events": [[1, "", "scratch", "None", "quick"]]},
        },
    }
    file = tmp_path / "p.boris"
    file.write_text(json.dumps(told))
    first, second = read(file)
    assert (first.video, second.video) == ("a.mp4", "b")
    events, others = understood(first, "anna", "a", {"ft": "touch"})
    assert [(e.start, e.stop, e.region, e.side) for e in events] == [(4.0, 5.5, "chin", "left")]
    assert others == {}
    events, others = understood(second, "anna", "b", {})
    assert events == []
    assert others == {"scratch": 1}


def test_short_and_utf_16_textgrids_are_read(tmp_path):
    short = '"ooTextFile"\n"TextGrid"\n0\n5\n<exists>\n2\n"IntervalTier"\n"P01"\n0\n5\n3\n0\n1\n""\n1\n2.5\n"chin"\n'
    short = "File type = " + short.replace('"TextGrid"', 'Object class = "TextGrid"\n', 1)
    text = short + '2.5\n5\n""\n"TextTier"\n"P02"\n0\n5\n1\n3.25\n"say ""nose"""\n'
    file = tmp_path / "a.TextGrid"
    file.write_bytes(text.encode("utf-16"))
    (coding,) = read(file)
    assert coding.marks[0] == Mark("P01", ("chin",), 1.0, 2.5)
    assert (coding.marks[1].subject, coding.marks[1].start, coding.marks[1].stop) == ("P02", 3.25, 3.25)
    assert coding.marks[1].words[0] == 'say "nose"'
    file.write_text(short)
    with pytest.raises(InputError, match="cut off or damaged"):
        read(file)


def test_tables_of_datavyu_scripts_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("file,column,ordinal,onset,offset,code01\nx,P01,1,1500,2750,chin\n")
    (tmp_path / "b.csv").write_text("P01.ordinal,P01.onset,P01.offset,P01.where\n1,1500,2750,chin\n2,,,\n")
    for name in ("a.csv", "b.csv"):
        assert back(tmp_path / name)[1] == [(1.5, 2.75, "P01", "chin", "", "")]


def test_event_files_of_predict_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("source,subject,label,start,stop,peak\nx/lab 1.mp4,face 1,ear,1.000,2.000,0.9\n")
    coding, events = back(tmp_path / "a.csv")
    assert coding.video == "lab 1.mp4"
    assert events == [(1.0, 2.0, "face 1", "ear", "", "")]


def test_vtt_escapes_and_reads_its_own_signs(tmp_path):
    text = vtt.document(seen(tmp_path))
    assert "<v mother &amp; child>ear right</v>" in text
    assert "01:00:00.250 --> 01:00:01.000" in text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.boris", "{}", "is not a project of BORIS"),
        ("a.boris", '{"behaviors_conf": {}, "observations": {"o": {"events": [[1]]}}}', "an event of fewer than four"),
        ("a.eaf", "<a", "is not an ELAN file"),
        ("a.eaf", "<HTML/>", "begins with <HTML>"),
        ("a.eaf", '<!DOCTYPE a [<!ENTITY b "c">]><a/>', "defines entities"),
        ("a.TextGrid", "nothing", "is not a TextGrid in text form"),
        ("a.vtt", "nothing", "does not begin with WEBVTT"),
        ("a.csv", "one,two\n1,2\n", "is no table of events"),
        ("a.csv", "Kopf;Zeit\nx;1,5\n", "the first line is 'Kopf;Zeit', separated by semicolons"),
        ("a.csv", "video;start;stop;label\nx;1,5;2,5;chin\n", "are separated by semicolons: separate them by commas"),
        ("a.csv", "", "is empty"),
        ("a.csv", "video,start,stop,label\n", "has no rows"),
        ("a.csv", "Subject,Behavior,Time,Behavior type\n", "has no rows"),
        ("a.csv", "video,start,stop,label\nx,1,2,chin\nx,-5,-2,chin\n", "row 3: an event cannot last from -5 to -2 s"),
        ("a.csv", "Subject;Behavior;Start (s);Stop (s)\n;touch;1,5;2\n", "write decimals with a point"),
        ("a.csv", "Subject,Behavior,Start (s),Stop (s)\n,touch,3,2\n", "row 2: an event cannot last from 3 to 2 s"),
        ("a.csv", "Subject,Behavior,Time,Behavior type\nx,touch,-1,START\n", "row 2: an event cannot last from -1"),
        ("a.csv", "ordinal,onset,offset,region\n1,-5000,-2000,chin\n", "row 2: an event cannot last from -5 to -2 s"),
        ("a.csv", "#4\np (MATRIX,true,)-r|NOMINAL\n00:00:03:000,00:00:02:000,(chin)\n", "row 3: an event cannot"),
        ("a.vtt", "WEBVTT\n\n00:03.000 --> 00:02.000\nchin\n", "an event cannot last from 3 to 2 s"),
        (
            "a.boris",
            '{"behaviors_conf": {}, "observations": {"o": {"events": [[-1, "", "touch", ""]]}}}',
            "event 1: an event cannot",
        ),
        (
            "a.TextGrid",
            'File type = "ooTextFile"\nObject class = "TextGrid"\n'
            '-9 9 <exists> 1 "IntervalTier" "p" -9 9 1 -5 -2 "chin"\n',
            "tier 'p', interval 1: an event cannot last from -5 to -2 s",
        ),
        ("a.csv", "video,start,stop,label\nx,soon,2,chin\n", "start must be a number of seconds, got 'soon'"),
        ("a.csv", "video,start,stop,label\nx,3,2,chin\n", "row 2: an event cannot last from 3 to 2 s"),
        ("a.csv", "Subject,Behavior,Time,Behavior type\nx,touch,nan,START\n", "Time must be a number"),
        ("a.doc", "nothing", "unknown ending: .boris, .eaf"),
    ],
)
def test_what_is_no_coded_file_is_said_in_a_sentence(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r"'.*a\.") as caught:
        read(tmp_path / name)
    assert said in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / f"missing{Path(name).suffix.replace('.doc', '.csv')}")


def test_overlapping_events_of_one_coder_are_joined():
    kept, joined = without_overlaps(
        [event(1, 3), event(2, 4), event(3.5, 3.6), event(4, 5), event(2, 3, region="nose")]
    )
    assert sorted((e.start, e.stop, e.region) for e in kept) == [(1, 4, "chin"), (2, 3, "nose"), (4, 5, "chin")]
    assert joined == 2


def test_two_cameras_make_one_event_of_what_both_saw():
    events = [
        event(1.0, 3.0, peak=0.6),
        event(2.5, 4.0, peak=0.9, region="nose"),
        event(2.0, 2.5, subject="P02"),
        event(5, 6),
    ]
    told = [(e.subject, e.start, e.stop, e.region, e.peak) for e in merged(events)]
    assert told == [("P01", 1.0, 4.0, "nose", 0.9), ("P02", 2.0, 2.5, "chin", None), ("P01", 5, 6, "chin", None)]


def test_the_tidy_table_tells_the_time_of_day(tmp_path):
    (file,) = write("csv", [seen(tmp_path)], tmp_path / "a.csv", "s", "")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["clock"] for row in rows][:2] == ["2026-11-30T14:05:01.000", "2026-11-30T14:05:02.500"]
    assert rows[0]["start_frame"] == "25"
    assert rows[3]["region"] == ""


def test_parquet_holds_the_same_rows(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (file,) = write("parquet", [seen(tmp_path)], tmp_path / "a.parquet", "s", "")
    rows = parquet.read_table(file).to_pylist()
    assert [(row["start"], row["stop"], row["region"]) for row in rows] == [(e.start, e.stop, e.region) for e in EVENTS]
    assert rows[2]["peak"] is None
