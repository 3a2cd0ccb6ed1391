"""Folders that are missing above an output are made, and go again with an output that is discarded."""

from pathlib import Path

import pytest

from handlens.cli import run
from handlens.errors import OutputError
from handlens.io.atomic import AtomicFile, LineFile, output_error


@pytest.mark.parametrize("kind", [AtomicFile, LineFile])
def test_missing_folders_are_made(tmp_path: Path, kind: type[AtomicFile] | type[LineFile]) -> None:
    place = tmp_path / "new" / "sub" / "x.txt"
    with kind(place) as draft:
        draft.write(b"all\n")
    assert place.read_bytes() == b"all\n"


@pytest.mark.parametrize("kind", [AtomicFile, LineFile])
def test_after_an_error_no_new_folder_is_left_but_old_ones_are(
    tmp_path: Path, kind: type[AtomicFile] | type[LineFile]
) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(ValueError, match="stop"), kind(tmp_path / "old" / "new" / "sub" / "x.txt"):
        raise ValueError("stop")
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


@pytest.mark.parametrize("kind", [AtomicFile, LineFile])
def test_a_file_in_the_way_is_named(tmp_path: Path, kind: type[AtomicFile] | type[LineFile]) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(OutputError, match="note' is a file, not a folder"):
        kind(tmp_path / "note" / "sub" / "x.txt")


@pytest.mark.parametrize("kind", [AtomicFile, LineFile])
def test_a_folder_name_that_is_too_long_leaves_no_folder(
    tmp_path: Path, kind: type[AtomicFile] | type[LineFile]
) -> None:
    with pytest.raises(OutputError, match="was not written"):
        kind(tmp_path / "new" / ("x" * 300) / "x.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_is_to_be_made_is_told(tmp_path: Path) -> None:
    place = tmp_path / "note"
    place.write_text("mine")
    with pytest.raises(FileExistsError) as caught:
        place.mkdir()
    assert str(output_error(caught.value, place)) == f"'{place}' is a file: give a folder."


def test_predict_and_models_make_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    import numpy as np
    from media import save_picture
    from tiny_clips import BRIGHT
    from tiny_models import brightness_model

    monkeypatch.chdir(tmp_path)
    brightness_model(tmp_path / "light.onnx")
    save_picture(tmp_path / "p.png", np.full((24, 32, 3), BRIGHT, np.uint8))
    asked = ["predict", "p.png", "-m", "light.onnx", "--events", "new/e.csv", "--json", "new/sub/x.jsonl"]
    assert run(asked) == 0
    assert run(["models", "yolov3-tiny", "--cfg", "other/sub/x.cfg"]) == 0
    assert all(Path(name).stat().st_size for name in ("new/e.csv", "new/sub/x.jsonl", "other/sub/x.cfg"))
