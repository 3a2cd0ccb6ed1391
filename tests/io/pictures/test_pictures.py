"""The promises of io/pictures.py: upright 8-bit RGB of whatever is a picture, one sentence for what is not."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import corners, quadrants, read, save_picture

from handlens.errors import FrameError
from handlens.io.pictures.header import read_header
from handlens.io.pictures.read import decode_picture, read_picture


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp", ".tif", ".ppm"])
def test_a_picture_is_one_frame_in_rgb(tmp_path: Path, ending: str) -> None:
    path = save_picture(tmp_path / f"a{ending}")
    frames, errors = read(path)
    assert errors == []
    assert [(f.index, f.time, f.source, f.width, f.height) for f in frames] == [(0, 0.0, str(path), 64, 48)]
    assert corners(frames[0].image) == ["red", "green", "blue", "white"]


def exif(orientation: int, order: str = "<") -> bytes:
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return start + struct.pack(order + "HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)


STORED = {  # orientation -> how upright quadrants lie in the file
    1: lambda i: i,
    2: lambda i: i[:, ::-1],
    3: lambda i: i[::-1, ::-1],
    4: lambda i: i[::-1],
    5: lambda i: i.transpose(1, 0, 2),
    6: lambda i: np.rot90(i, 1),
    7: lambda i: np.rot90(i, 2).transpose(1, 0, 2),
    8: lambda i: np.rot90(i, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_picture_stands_upright_whatever_its_exif_says(tmp_path: Path, orientation: int, ending: str) -> None:
    path = save_picture(tmp_path / f"a{ending}", np.ascontiguousarray(STORED[orientation](quadrants())))
    data = path.read_bytes()
    order = "<" if orientation % 2 else ">"
    if ending == ".jpg":
        block = b"Exif\0\0" + exif(orientation, order)
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    else:
        import zlib

        chunk = b"eXIf" + exif(orientation, order)
        chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        data = data[:33] + chunk + data[33:]  # after IHDR
    image = decode_picture(data, "a")
    assert image.shape == (48, 64, 3)
    assert corners(image) == ["red", "green", "blue", "white"]


def test_grey_alpha_and_16_bit_pictures_become_8_bit_rgb(tmp_path: Path) -> None:
    grey = read_picture(str(save_picture(tmp_path / "grey.png", np.full((5, 7), 100, np.uint8))))
    assert (grey.shape, grey.dtype, grey.min(), grey.max()) == ((5, 7, 3), np.uint8, 100, 100)

    bgra = np.zeros((2, 3, 4), np.uint8)
    bgra[:, 0] = (0, 0, 255, 255)
    bgra[:, 1] = (0, 0, 255, 0)
    bgra[:, 2] = (0, 0, 255, 128)
    (tmp_path / "alpha.png").write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
    assert read_picture(str(tmp_path / "alpha.png"))[0].tolist() == [[255, 0, 0], [255, 255, 255], [255, 127, 127]]

    deep = np.full((4, 4, 3), (65535, 32768, 256), np.uint16)
    (tmp_path / "deep.png").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    assert read_picture(str(tmp_path / "deep.png"))[0, 0].tolist() == [1, 128, 255]
    deep_grey = np.full((4, 4), 40000, np.uint16)
    (tmp_path / "deep.tif").write_bytes(cv2.imencode(".tif", deep_grey)[1].tobytes())
    assert read_picture(str(tmp_path / "deep.tif"))[0, 0].tolist() == [156] * 3


def test_one_pixel_and_20000_pixels_wide_pictures_can_be_read(tmp_path: Path) -> None:
    assert read_picture(str(save_picture(tmp_path / "dot.png", np.full((1, 1, 3), 9, np.uint8)))).shape == (1, 1, 3)
    wide = save_picture(tmp_path / "wide.jpg", np.zeros((300, 20000, 3), np.uint8))
    assert read_picture(str(wide)).shape == (300, 20000, 3)


def test_a_picture_too_large_for_memory_is_refused_before_it_is_decoded() -> None:
    data = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    struct.pack_into(">II", data, 16, 60000, 20000)
    with pytest.raises(FrameError, match=r"60000 x 20000 pixels \(1200 megapixels\); at most 400"):
        decode_picture(bytes(data), "bomb.png")


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_picture_that_is_cut_off_is_an_error_without_noise(
    tmp_path: Path, ending: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    path = save_picture(tmp_path / f"a{ending}", rng.integers(0, 255, (90, 120, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    frames, (error,) = read(path)
    assert frames == []
    assert isinstance(error, FrameError)
    assert str(path) in str(error)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"hello, I am a text\n" * 20, b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM"])
def test_what_is_no_picture_is_a_sentence(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    frames, (error,) = read(path)
    assert frames == []
    assert isinstance(error, FrameError)
    assert capfd.readouterr().err == ""


def test_headers_of_damaged_files_never_raise() -> None:
    rng = np.random.default_rng(1)
    for ending in (".jpg", ".png", ".webp", ".tif", ".bmp"):
        good = cv2.imencode(ending, quadrants())[1].tobytes()
        assert (read_header(good).width, read_header(good).height, read_header(good).complete) == (64, 48, True)
        for _ in range(200):
            bad = bytearray(good[: rng.integers(2, len(good))])
            bad[rng.integers(2, len(bad)) if len(bad) > 2 else 0] = rng.integers(0, 256)
            read_header(bytes(bad))
