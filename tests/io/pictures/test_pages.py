"""The promises about unusual pictures: pages, HEIC, deep and float pixels, files that lack only their end."""

import io
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from heif_files import box, encode, heic, plain
from media import corners, quadrants, read, save_picture, write

from handlens.errors import FrameError
from handlens.io.pictures.header import read_header, tiff_pages
from handlens.io.pictures.read import decode_pictures, read_pictures
from handlens.io.reading import Reading
from handlens.io.sinks.annotated import Annotated
from handlens.io.sinks.paths import OutputPaths
from handlens.io.sources.files import Files
from handlens.types import Image

BGR = quadrants()[..., ::-1]
FOUR = [plain(colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))]


def look(data: bytes, name: str = "x") -> tuple[list[Image], list[str]]:
    """All pages, and the remarks."""
    remarks: list[str] = []
    return [page.image for page in decode_pictures(data, name, remarks.append)], remarks


def coded(ending: str, pixels: object, *options: int) -> bytes:
    good, data = cv2.imencode(ending, pixels, options)  # type: ignore[call-overload]
    assert good
    return bytes(data.tobytes())


# --- pages


def stack(path: Path, levels: tuple[int, ...] = (10, 100, 200), kind: type = np.uint8) -> Path:
    assert cv2.imwritemulti(str(path), [np.full((48, 64, 3), level, kind) for level in levels])
    return path


def test_every_page_of_a_tiff_is_a_frame(tmp_path: Path) -> None:
    frames, errors = read(stack(tmp_path / "a.tif"))
    assert errors == []
    assert [(f.index, f.time, int(f.image[0, 0, 0])) for f in frames] == [(0, 0, 10), (1, 0, 100), (2, 0, 200)]
    assert [f.index for f in read(tmp_path / "a.tif", every=2)[0]] == [0, 2]
    with Files("a", [str(tmp_path / "a.tif")], Reading(fps=2)) as source:
        assert [(f.time, f.duration) for f in source.frames()] == [(0, 0.5), (0.5, 0.5), (1, 0.5)]


def test_a_smaller_copy_within_a_tiff_is_no_page(tmp_path: Path) -> None:
    data = bytearray(stack(tmp_path / "a.tif").read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    (second,) = struct.unpack_from("<I", data, start + 2 + 12 * count)
    struct.pack_into("<HHII", data, second + 2, 254, 4, 1, 1)  # in place of its first tag
    assert tiff_pages(bytes(data)) == [0, 2]


def test_the_depth_of_a_stack_is_that_of_all_its_pages(tmp_path: Path) -> None:
    images, remarks = look(stack(tmp_path / "a.tif", (200, 900, 4000), np.uint16).read_bytes())
    assert [int(image[0, 0, 0]) for image in images] == [12, 56, 249]
    assert remarks == ["holds 12 bits in 16: 4095 is white"]


@pytest.mark.parametrize("ending", [".webp", ".png"])
def test_an_animated_picture_gives_its_frames_with_their_times(tmp_path: Path, ending: str) -> None:
    film = cv2.Animation()
    film.frames = [np.full((48, 64, 3), level, np.uint8) for level in (10, 100, 200)]
    film.durations = np.array([40, 100, 300], np.int32)
    assert cv2.imwriteanimation(str(tmp_path / f"a{ending}"), film)
    frames, errors = read(tmp_path / f"a{ending}")
    assert errors == []
    assert [f.time for f in frames] == pytest.approx([0, 0.04, 0.14])
    assert [f.duration for f in frames] == pytest.approx([0.04, 0.1, 0.3])
    assert [int(f.image[0, 0, 0]) for f in frames] == pytest.approx([10, 100, 200], abs=3)


def test_both_pictures_of_an_mpo_are_frames(tmp_path: Path) -> None:
    first, second = coded(".jpg", BGR), coded(".jpg", np.ascontiguousarray(BGR[:, ::-1]))

    def index(length: int) -> bytes:
        entries = struct.pack("<IIIHH", 0x20030000, length, 0, 0, 0)
        entries += struct.pack(
            "<IIIHH", 0x00020002, len(second), max(0, length - 10), 0, 0
        )  # from the mark of the index on
        body = b"MPF\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0xB002, 7, len(entries), 26, 0) + entries
        return b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body

    length = len(first) + len(index(0))
    main = first[:2] + index(length) + first[2:]
    images, _ = look(main + second, "a.mpo")
    assert [corners(image)[0] for image in images] == ["red", "green"]
    assert len(look(main + second, "a.jpg")[0]) == 1  # phones keep maps of brightness there


def test_pages_are_drawn_one_by_one(tmp_path: Path) -> None:
    frames, _ = read(stack(tmp_path / "a.tif"))
    save_picture(tmp_path / "a_page2.png")
    with Annotated(tmp_path / "out") as sink:
        write(sink, *frames, *read(tmp_path / "a_page2.png")[0])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a.png",
        "a_page2-2.png",
        "a_page2.png",
        "a_page3.png",
    ]
    assert OutputPaths("o", task="segment").mask("a.tif", 2).name == "a_page3_mask.png"


# --- HEIC and AVIF


def turned(*boxes: bytes) -> list[str]:
    images, remarks = look(heic(FOUR, 2, (100, 80), boxes), "a.heic")
    assert (len(images), remarks) == (1, [])
    assert sorted(images[0].shape) == [3, 80, 100]
    return corners(images[0])


def test_the_tiles_of_a_heic_are_one_picture_turned_as_it_says() -> None:
    half, mirror = box(b"irot", b"\2"), box(b"imir", b"\1")
    assert turned() == ["red", "green", "blue", "white"]
    assert turned(half) == ["white", "blue", "green", "red"]
    assert turned(box(b"irot", b"\1")) == ["green", "white", "red", "blue"]
    assert turned(mirror) == ["green", "red", "white", "blue"]
    assert turned(half, mirror) == ["blue", "white", "red", "green"]


def test_a_heic_in_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(heic(FOUR, 2, (128, 128)))
    save_picture(tmp_path / "IMG_2.jpg")
    frames, errors = read(tmp_path)
    assert [(Path(f.source).name, f.width) for f in frames] == [("IMG_1.HEIC", 128), ("IMG_2.jpg", 64)]
    assert errors == []


@pytest.mark.parametrize("keep", [0.3, 0.8, 0.98])
def test_a_heic_that_is_cut_off_is_an_error(keep: float) -> None:
    data = heic(FOUR, 2, (128, 128))
    with pytest.raises(FrameError, match="cut off"):
        look(data[: int(len(data) * keep)], "a.heic")


def test_a_heic_that_lacks_a_tile_is_an_error_and_never_half_a_picture() -> None:
    data = heic(FOUR[:2], 2, (128, 64))
    assert corners(look(data)[0][0]) == ["red", "green", "red", "green"]
    place = data.find(struct.pack(">BBBBHH", 0, 0, 0, 1, 128, 64), data.find(b"idat"))
    lacking = data[:place] + struct.pack(">BBBBHH", 0, 0, 1, 1, 128, 64) + data[place + 8 :]
    with pytest.raises(FrameError, match="4 tiles make its picture, but 2 are there"):
        look(lacking, "a.heic")


def test_headers_of_damaged_heic_files_never_raise_anything_else() -> None:
    rng = np.random.default_rng(0)
    record, data = encode(FOUR[0])
    good = heic([FOUR[0]], 1, (64, 64))
    assert record in good
    assert data in good
    for _ in range(60):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad) - len(data), 4):
            bad[place] = int(rng.integers(0, 256))
        try:
            look(bytes(bad), "a.heic")
        except FrameError as error:
            assert "a.heic" in str(error)  # noqa: PT017 (some of them can be read)


def test_a_jpeg_xl_is_refused_with_its_name() -> None:
    with pytest.raises(FrameError, match="JPEG XL, for which there is no decoder here"):
        look(b"\xff\x0a" + bytes(40), "a.jxl")


@pytest.mark.skipif(not cv2.haveImageWriter("a.avif"), reason="this OpenCV writes no AVIF")
def test_an_avif_of_10_bits_is_read() -> None:
    (image,), remarks = look(coded(".avif", BGR.astype(np.uint16) * 4, cv2.IMWRITE_AVIF_DEPTH, 10))
    assert (corners(image), remarks) == (["red", "green", "blue", "white"], [])
    assert image[40, 60].tolist() == pytest.approx([255, 255, 255], abs=2)


# --- depth


@pytest.mark.parametrize(
    ("scale", "white", "remark"),
    [
        (1, 255, "holds 8 bits in 16: 255 is white"),
        (4, 1020, "holds 10 bits in 16: 1023 is white"),
        (16, 4080, "holds 12 bits in 16: 4095 is white"),
        (64, 16320, "holds 14 bits in 16: 16383 is white"),
        (257, 65535, None),
        (256, 65280, None),
    ],
)
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_few_bits_in_16_are_scaled_and_said(ending: str, scale: int, white: int, remark: str | None) -> None:
    pixels = BGR.astype(np.uint16) * scale
    assert pixels.max() == white
    (image,), remarks = look(coded(ending, pixels))
    assert remarks == ([remark] if remark else [])
    assert image[40, 60].tolist() == pytest.approx([255] * 3, abs=1)
    assert corners(image) == ["red", "green", "blue", "white"]


def test_a_dark_picture_of_16_bits_made_of_8_stays_dark() -> None:
    (image,), remarks = look(coded(".png", (BGR // 20).astype(np.uint16) * 257))
    assert (image.max(), remarks) == (12, [])
    assert look(coded(".png", np.zeros((4, 4), np.uint16)))[1] == []


def test_float_pictures_are_scaled_by_what_is_in_them() -> None:
    (image,), remarks = look(coded(".tif", (BGR / 255).astype(np.float32)))
    assert (corners(image), remarks) == (["red", "green", "blue", "white"], [])
    (image,), (remark,) = look(coded(".tif", (BGR * 100.0 - 50).astype(np.float32)))
    assert (corners(image), image.min(), image.max()) == (["red", "green", "blue", "white"], 0, 255)
    assert remark == "holds numbers beyond 0 to 1: the smallest is black, the largest white"
    (image,), _ = look(coded(".tif", np.full((4, 4), np.nan, np.float32)))
    assert image.max() == 0


def test_linear_light_gets_the_curve_of_a_screen() -> None:
    grey = np.full((8, 8, 3), 0.2140, np.float32)  # half as bright for the eye
    (image,), (remark,) = look(coded(".hdr", grey), "a.hdr")
    assert image[0, 0].tolist() == pytest.approx([127] * 3, abs=2)
    assert remark == "holds linear light: the curve of sRGB is applied"


def test_an_exr_is_read() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("exr", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gbrpf32le"
        picture = av.VideoFrame.from_ndarray((quadrants() / 255).astype(np.float32), format="gbrpf32le")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    (image,), _ = look(file.getvalue(), "a.exr")
    assert corners(image) == ["red", "green", "blue", "white"]


def test_the_white_of_a_pgm_is_what_it_states() -> None:
    assert look(b"P5 2 1 100\n" + bytes([0, 100]))[0][0][0, 1].tolist() == [255] * 3
    assert look(b"P5 2 1 1000\n" + struct.pack(">HH", 0, 500))[0][0][0, 1, 0] == pytest.approx(128, abs=1)


def test_what_is_said_of_many_pictures_is_said_once(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(coded(".png", BGR.astype(np.uint16) * 16))
    said: list[str] = []
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    with Files("3 pictures", paths, Reading(remark=said.append)) as source:
        assert len(list(source.frames())) == 3
    assert said == [
        f"'{paths[0]}' holds 12 bits in 16: 4095 is white.",
        "2 more pictures: each holds 12 bits in 16: 4095 is white.",
    ]


# --- ends


NO_END = "lacks its end marker, but all rows of the picture are there"


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_a_jpeg_that_lacks_only_its_end_is_read(options: tuple[int, ...], capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    data = coded(".jpg", noise, *options)
    (image,), remarks = look(data[:-2])
    assert remarks == [NO_END]
    assert np.array_equal(image, look(data)[0][0])
    assert look(data[:-1])[1] == [NO_END]
    assert look(data[:-2] + bytes(100))[1] == [NO_END]
    for less in (4, 10, 100, 1000, len(data) - 700):
        with pytest.raises(FrameError, match=r"cut off|damaged"):
            look(data[:-less])
    assert capfd.readouterr().err == ""


def test_a_png_that_lacks_only_its_end_is_read() -> None:
    data = coded(".png", BGR)
    (image,), remarks = look(data[:-12])
    assert (corners(image), remarks) == (["red", "green", "blue", "white"], [NO_END])
    with pytest.raises(FrameError, match="cut off"):
        look(data[:-30])


@pytest.mark.parametrize(
    ("ending", "codec"), [("qoi", "qoi"), ("pcx", "pcx"), ("tga", "targa"), ("dpx", "dpx"), ("jls", "jpegls")]
)
def test_pictures_that_only_ffmpeg_knows_are_read(tmp_path: Path, ending: str, codec: str) -> None:
    with av.open(str(tmp_path / f"a.{ending}"), "w", format="image2") as container:
        stream = container.add_stream(codec, rate=1)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "bgr24" if codec == "targa" else "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(quadrants(), format="rgb24")))
        container.mux(stream.encode(None))
    (page,) = read_pictures(str(tmp_path / f"a.{ending}"))
    assert corners(page.image) == ["red", "green", "blue", "white"]


def test_every_header_says_its_kind() -> None:
    kinds = {".jpg": "JPEG", ".png": "PNG", ".webp": "WebP", ".tif": "TIFF", ".ppm": "PNM", ".jp2": "JPEG 2000"}
    for ending, kind in kinds.items():
        header = read_header(coded(ending, BGR))
        assert (header.kind, header.width, header.height, header.frames) == (kind, 64, 48, 1)
