"""`handlens models --cfg` writes what Darknet needs to train a YOLOv3."""

import pytest

from handlens.cli import run


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny", "yolov3-spp"])
def test_the_cfg_of_a_yolov3_is_written_for_those_without_a_network(tmp_path, monkeypatch, capsys, name):
    from handlens.train.nets.darknet.cfg import read_cfg

    monkeypatch.chdir(tmp_path)
    assert run(["models", name, "--classes", "1", "--cfg", "new/mine.cfg"]) == 0
    sections = read_cfg(tmp_path / "new" / "mine.cfg")
    assert {section.values["classes"] for section in sections if section.kind == "yolo"} == {"1"}
    assert "1 class" in capsys.readouterr().out
    assert run(["models", name, "--cfg", "new/mine.cfg"]) == 2
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["yolov4", "--cfg", "a.cfg"], "did you mean 'yolov3'"),
        (["yolov3", "--cfg", "a.txt"], "must end in .cfg"),
        (["yolov5n", "--cfg", "a.cfg"], "for a YOLOv3 only"),
        (["--cfg", "a.cfg"], "needs the name of a network"),
    ],
)
def test_a_cfg_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch, capsys, line, sentence):
    monkeypatch.chdir(tmp_path)
    assert run(["models", *line]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_line_to_train_with_a_cfg_can_be_typed_as_it_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["models", "yolov3-tiny", "--cfg", "my net.cfg"]) == 0
    assert "--net 'my net.cfg'" in capsys.readouterr().out
