"""The standard .cfg texts: yolov3, yolov3-spp and yolov3-tiny for any number of classes; it must not know torch.

Written from the layer tables of YOLOv3 (arXiv 1804.02767). A user may save one, change it and bring it back.
"""

from __future__ import annotations

from collections.abc import Callable

from handlens.errors import InputError, unknown

ANCHORS = "10,13, 16,30, 33,23, 30,61, 62,45, 59,119, 116,90, 156,198, 373,326"
TINY_ANCHORS = "10,14, 23,27, 37,58, 81,82, 135,169, 344,319"

NET = """[net]
batch=64
subdivisions=16
width={side}
height={side}
channels=3
momentum=0.9
decay=0.0005
learning_rate=0.001
burn_in=1000
"""


def standard_cfg(name: str, classes: int = 80) -> str:
    """The text of `yolov3`, `yolov3-spp` (608 pixels) or `yolov3-tiny` for so many classes.

    Raises:
        InputError: another name, or no class.
    """
    if name not in _WRITERS:
        raise InputError(unknown("standard .cfg", name, _WRITERS))
    if classes < 1:
        raise InputError(f"{classes} classes: a detector needs at least one.")
    side, layers = _WRITERS[name]
    return "\n".join([NET.format(side=side), *layers(classes)])


def _conv(filters: int, size: int, stride: int = 1) -> str:
    shape = f"filters={filters}\nsize={size}\nstride={stride}\npad=1"
    return f"[convolutional]\nbatch_normalize=1\n{shape}\nactivation=leaky\n"


def _out(classes: int) -> str:
    return f"[convolutional]\nsize=1\nstride=1\npad=1\nfilters={(classes + 5) * 3}\nactivation=linear\n"


def _yolo(classes: int, mask: str, anchors: str) -> str:
    count = len(anchors.split(",")) // 2
    return (
        f"[yolo]\nmask={mask}\nanchors={anchors}\nclasses={classes}\nnum={count}\n"
        "jitter=.3\nignore_thresh=.7\ntruth_thresh=1\nrandom=1\n"
    )


def _route(*layers: int) -> str:
    return f"[route]\nlayers={','.join(map(str, layers))}\n"


def _pool(size: int, stride: int) -> str:
    return f"[maxpool]\nsize={size}\nstride={stride}\n"


def _upsample() -> str:
    return "[upsample]\nstride=2\n"


def _darknet53() -> list[str]:
    """The backbone: 75 layers, strides 8, 16 and 32 end at layers 36, 61 and 74."""
    layers = [_conv(32, 3)]
    for filters, units in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        layers.append(_conv(filters, 3, 2))
        for _ in range(units):
            layers += [_conv(filters // 2, 1), _conv(filters, 3), "[shortcut]\nfrom=-3\nactivation=linear\n"]
    return layers


def _pyramid() -> list[str]:
    """Spatial pyramid pooling: the map beside its maxima over 5, 9 and 13 places."""
    return [_pool(5, 1), _route(-2), _pool(9, 1), _route(-4), _pool(13, 1), _route(-1, -3, -5, -6)]


def _head(filters: int, classes: int, mask: str, spp: bool = False) -> list[str]:
    pair = [_conv(filters, 1), _conv(2 * filters, 3)]
    first = [*pair, _conv(filters, 1), *_pyramid(), *pair] if spp else [*pair, *pair]
    return [*first, *pair, _out(classes), _yolo(classes, mask, ANCHORS)]


def _full(classes: int, spp: bool = False) -> list[str]:
    return [
        *_darknet53(),
        *_head(512, classes, "6,7,8", spp),
        *(_route(-4), _conv(256, 1), _upsample(), _route(-1, 61)),
        *_head(256, classes, "3,4,5"),
        *(_route(-4), _conv(128, 1), _upsample(), _route(-1, 36)),
        *_head(128, classes, "0,1,2"),
    ]


def _tiny(classes: int) -> list[str]:
    layers = []
    for filters in (16, 32, 64, 128, 256):
        layers += [_conv(filters, 3), _pool(2, 2)]
    return [
        *(*layers, _conv(512, 3), _pool(2, 1), _conv(1024, 3), _conv(256, 1), _conv(512, 3)),
        *(_out(classes), _yolo(classes, "3,4,5", TINY_ANCHORS)),
        *(_route(-4), _conv(128, 1), _upsample(), _route(-1, 8), _conv(256, 3)),
        *(_out(classes), _yolo(classes, "0,1,2", TINY_ANCHORS)),
    ]


_WRITERS: dict[str, tuple[int, Callable[[int], list[str]]]] = {
    "yolov3": (416, _full),
    "yolov3-spp": (608, lambda classes: _full(classes, spp=True)),
    "yolov3-tiny": (416, _tiny),
}
