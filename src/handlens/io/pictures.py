"""Picture files -> RGB in the way a person sees them; it must not know videos, models or results."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from handlens.errors import FrameError
from handlens.io.header import Header, read_header
from handlens.io.quiet import quiet_opencv
from handlens.types import Image

MAX_MEGAPIXELS = 400  # 1.2 GB as RGB, 2.4 GB for a moment while it is turned


def read_picture(path: str) -> Image:
    """Return (H, W, 3) uint8 RGB: EXIF orientation applied, grey spread, alpha laid on white, 16 bit scaled to 8.

    Raises:
        FrameError: the file cannot be read, is no picture, is cut off, or has more than 400 megapixels.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FrameError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    return decode_picture(data, path)


def decode_picture(data: bytes, name: str) -> Image:
    """Return the picture in these bytes as `read_picture` does; `name` is for the sentences.

    Raises:
        FrameError: as `read_picture`.
    """
    header = read_header(data)
    _check(header, len(data), name)
    with quiet_opencv():
        try:  # bytes and not a path: OpenCV cannot open every path on every system
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except (cv2.error, MemoryError) as error:
            raise FrameError(f"'{name}' cannot be decoded: {_first_line(error)}.") from error
    if pixels is None:
        what = f"a damaged {header.kind}" if header.kind else "not a picture"
        raise FrameError(f"'{name}' is {what} or of a kind that cannot be read; JPEG, PNG, WebP, BMP and TIFF can.")
    _check(Header("", pixels.shape[1], pixels.shape[0]), len(data), name)
    return np.ascontiguousarray(turn(_to_rgb(pixels), header.orientation))


def _check(header: Header, size: int, name: str) -> None:
    if size == 0:
        raise FrameError(f"'{name}' is empty: it has 0 bytes.")
    if not header.whole:
        raise FrameError(f"'{name}' is cut off: the end of the {header.kind or 'picture'} is missing.")
    megapixels = header.width * header.height / 1e6
    if megapixels > MAX_MEGAPIXELS:
        raise FrameError(
            f"'{name}' has {header.width} x {header.height} pixels ({megapixels:.0f} megapixels);"
            f" at most {MAX_MEGAPIXELS} can be read: make it smaller."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["not enough memory"])[0][:200]


def _to_rgb(pixels: npt.NDArray[np.generic]) -> Image:
    """Return (H, W, 3) uint8 RGB of what OpenCV decoded: 1 to 4 channels, 8 or 16 bit or float."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)  # type: ignore[operator]
    elif pixels.dtype != np.uint8:
        pixels = (np.nan_to_num(pixels.astype(np.float32)).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    image: Image = np.asarray(pixels, np.uint8)
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
    if channels == 2:
        return _on_white(np.asarray(cv2.cvtColor(image[..., 0], cv2.COLOR_GRAY2RGB), np.uint8), image[..., 1])
    if channels == 4:
        return _on_white(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGB), np.uint8), image[..., 3])
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, image), np.uint8)  # in place: no second copy


def _on_white(image: Image, alpha: Image) -> Image:
    for top in range(0, len(image), 256):  # in bands: a float copy of a large picture would be 4 times its size
        band = slice(top, top + 256)
        cover = alpha[band, :, None].astype(np.uint16)
        if cover.min() < 255:
            image[band] = ((image[band] * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)
    return image


def turn(image: Image, orientation: int) -> Image:
    """Return the image as EXIF orientation 1 to 8 says it is to be seen."""
    if orientation in (5, 6, 7, 8):
        image = np.transpose(image, (1, 0, 2))
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
