"""The promises of io/find.py: what a folder or a pattern stands for, and that nothing is left out silently."""

import os
from pathlib import Path

import pytest
from media import read, save_picture, save_sound, save_video

from handlens.errors import InputError
from handlens.io.sources.find import find_files


def names(found: list[str], top: Path) -> list[str]:
    return [os.path.relpath(path, top) for path in found]


def test_what_is_left_out_is_counted_by_ending(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jxl", "c.txt", "d.TXT", "noending", ".hidden.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "deep").mkdir()
    said: list[str] = []
    assert names(find_files(str(tmp_path), remark=said.append), tmp_path) == ["a.jpg"]
    assert said == [
        f"4 files left out of the folder '{tmp_path}': .txt (2), .jxl, no ending.",
        f"1 folder in the folder '{tmp_path}' not searched: add --recursive to read what is below.",
    ]


@pytest.mark.parametrize(
    "ending", ["vob", "mxf", "asf", "MP4", "wmv", "flv", "m2ts", "y4m", "nut", "HEIC", "exr", "mpo"]
)
def test_what_can_be_read_is_found(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "asf":
        save_video(path, range(3), "msmpeg4v3")
    else:
        path.write_text("x")
    assert find_files(str(tmp_path)) == [str(path)]


def test_a_song_in_a_folder_is_left_out(tmp_path: Path) -> None:
    save_sound(tmp_path / "a.mkv").rename(tmp_path / "a.ogg")
    save_picture(tmp_path / "b.png")
    said: list[str] = []
    assert names(find_files(str(tmp_path), remark=said.append), tmp_path) == ["b.png"]
    assert said == [f"1 file left out of the folder '{tmp_path}': .ogg."]


def test_folders_below_are_searched_when_asked(tmp_path: Path) -> None:
    (tmp_path / "day1" / "cam").mkdir(parents=True)
    for name in ("day1/a.jpg", "day1/cam/b.jpg"):
        (tmp_path / name).write_text("x")
    (tmp_path / "day1" / "loop").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"but 1 folder; folders below .* add --recursive, or type '.*\*\*'"):
        find_files(str(tmp_path))
    for found in (find_files(str(tmp_path), recursive=True), find_files(str(tmp_path / "**"))):
        assert names(found, tmp_path) == ["day1/a.jpg", "day1/cam/b.jpg"]
    assert names(find_files(str(tmp_path / "**" / "b.*")), tmp_path) == ["day1/cam/b.jpg"]
    assert names(find_files(str(tmp_path / "*"), recursive=True), tmp_path) == ["day1/a.jpg", "day1/cam/b.jpg"]


def test_what_exists_is_taken_literally_before_it_is_a_pattern(tmp_path: Path) -> None:
    for folder in ("session [1]", "session 1"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_text("x")
    assert names(find_files(str(tmp_path / "session [1]" / "*.mp4")), tmp_path) == ["session [1]/a.mp4"]
    assert names(find_files(str(tmp_path / "session [12]" / "*.mp4")), tmp_path) == ["session 1/a.mp4"]
    assert names(find_files(str(tmp_path / "session*" / "*.mp4")), tmp_path) == ["session 1/a.mp4", "session [1]/a.mp4"]


def test_a_relative_pattern_gives_relative_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("d/a.jpg").write_text("x")
    assert find_files("d/*.jpg") == find_files("*/*.jpg") == find_files("**/*.jpg") == ["d/a.jpg"]
    assert find_files("d", recursive=True) == ["d/a.jpg"]


def test_a_name_of_any_bytes_is_read(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff\xfe.png")
    save_picture(tmp_path / "a.png").rename(odd)
    save_video(tmp_path / "b.mp4", [0, 40]).rename(odd.replace(".png", ".mp4"))
    frames, errors = read(tmp_path)
    assert (len(frames), errors) == (3, [])


def test_a_link_to_nothing_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(InputError, match=r"is a link to '.*gone.jpg', which does not exist"):
        find_files(str(tmp_path / "a.jpg"))
    with pytest.raises(InputError, match=r"but 1 file of other kinds \(.jpg\)"):
        find_files(str(tmp_path))
