"""`handlens calibrate` from a video with times or a labelled folder; `watch` follows it, `--remove` takes it away."""

import json
import shutil

import pytest

from handlens.cli import run
from handlens.io.pictures.read import read_picture
from handlens.live.folders import config_dir
from handlens.weights import demo_clip

TIMES = "look 0-0.5, touch 1.6-2.6, front 4.5-5.2"


@pytest.mark.slow
def test_a_video_calibrates_and_watch_follows(capsys, tmp_path):
    assert run(["calibrate", str(demo_clip()), "--times", TIMES]) == 0
    file = config_dir() / "calibration.json"
    assert f"'{file}'" in capsys.readouterr().err
    told = json.loads(file.read_text())
    assert told["model"] == "touch"
    assert told["frames"]["touch"] > 15
    told["shift"], told["weights"] = -3.0, {}
    file.write_text(json.dumps(told))
    for wanted in (0.93, 0.0):  # with a shift of -3 logits the clip's first touch is much less sure
        assert run(["watch", str(demo_clip()), "--no-page", "--no-sound", "--no-history", "--start", "2", "--stop",
                    "2.4", "--every", "3", "--json", str(tmp_path / f"{wanted}.jsonl")]) == 0  # fmt: skip
        run(["calibrate", "--remove"])
    lines = [[json.loads(line)["value"]["touch"] for line in (tmp_path / name).read_text().splitlines()]
             for name in ("0.93.jsonl", "0.0.jsonl")]  # fmt: skip
    assert max(lines[0]) < min(lines[1])
    assert not file.exists()


@pytest.mark.slow
def test_the_demo_is_tried_without_a_word_more_and_keeps_nothing_unless_that_is_asked(capsys, tmp_path):
    assert run(["calibrate", "demo"]) == 0
    err = capsys.readouterr().err
    assert "calibrated from" in err
    assert "nothing was kept: --out FILE" in err
    assert not config_dir().exists()
    assert run(["calibrate", "demo", "--out", str(tmp_path / "mine.json")]) == 0
    assert json.loads((tmp_path / "mine.json").read_text())["frames"]["front"] >= 30
    assert f"'handlens calibrate --remove --out {tmp_path / 'mine.json'}' takes it away" in capsys.readouterr().err


def test_remove_says_what_it_did(capsys):
    assert run(["calibrate", "--remove"]) == 0
    assert "there is no calibration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([str(demo_clip())], "say what"),
        ([str(demo_clip()), "--times", "dance 0-1"], "'dance 0-1' is not a part of the video"),
        ([str(demo_clip()), "--times", "touch 0-0.1, front 0.2-0.3"], "pictures show your face"),
        ([str(demo_clip()), "--times", TIMES, "--model", "hold"], "cannot be calibrated"),
        (["99"], "99"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_writes_nothing(arguments, sentence, capsys):
    assert run(["calibrate", *arguments]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "Traceback" not in err
    assert not config_dir().exists()


@pytest.mark.slow
def test_a_labelled_folder_calibrates_to_a_file_of_ones_own(tmp_path, capsys):
    import cv2

    from handlens.clips import frames

    for name, start in (("touch", 1.8), ("overlap_no_touch", 4.4)):
        (tmp_path / "me" / name).mkdir(parents=True)
        for frame in frames(demo_clip(), every=3, start=start, stop=start + 1.3):
            cv2.imwrite(str(tmp_path / "me" / name / f"{frame.index}.jpg"), frame.image[..., ::-1])
    assert run(["calibrate", str(tmp_path / "me"), "--out", str(tmp_path / "mine.json")]) == 0
    assert json.loads((tmp_path / "mine.json").read_text())["frames"]["touch"] >= 8
    assert not config_dir().exists()
    assert read_picture(str(next((tmp_path / "me" / "touch").iterdir()))).shape == (480, 640, 3)
    shutil.rmtree(tmp_path / "me" / "overlap_no_touch")
    assert run(["calibrate", str(tmp_path / "me"), "--out", str(tmp_path / "other.json")]) == 2
    assert not (tmp_path / "other.json").exists()
