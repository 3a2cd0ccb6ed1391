"""Every network by its name: family, task, size, how to build it; it must not import torch before one is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlens.errors import InputError, unknown

if TYPE_CHECKING:
    from torch import nn

    from handlens.train.nets.layers import Row


@dataclass(frozen=True)
class Network:
    """One network that can be built.

    Attributes:
        classes: As many as it has unless told otherwise; None: it ends in an embedding.
        parameters: With that many classes, not fused.
        build: Number of classes -> net, with random weights.
        angle: Whether it also tells by which angle the hand is turned unless told otherwise; None: it cannot, and
            `build` takes no `angle`.
    """

    name: str
    family: str
    task: str
    classes: int | None
    parameters: int
    build: Callable[..., nn.Module]
    angle: bool | None = None


FORMS = {"touch": "-detect", "segment": "-segment"}
"""What the name of a body that several tasks share gets for a task: `lite0` finds boxes as `lite0-detect`."""


def for_task(name: str, task: str) -> str:
    """Return the name of the network that a name means for a task: that of a shared body, or the name as it is."""
    form = name.lower() + FORMS.get(task, "")
    return form if form in NETWORKS and name.lower() in NETWORKS else name


def names() -> list[str]:
    """Return the names of all networks, family by family; old names are left out."""
    return list(NETWORKS)


def current_name(name: str) -> str:
    """Return the name that a network has today for one of its old names, and any other name as it is."""
    return OLD_NAMES.get(name.lower(), name)


def find(name: str) -> Network:
    """Return the network of that name, in any case; an old name finds it too.

    Raises:
        InputError: an unknown name; the nearest known one is named.
    """
    known = current_name(name).lower()
    if known not in NETWORKS:
        raise InputError(unknown("network", name, NETWORKS))
    return NETWORKS[known]


def build(name: str, classes: int | None = None, angle: bool | None = None) -> nn.Module:
    """Return a new net; a backbone comes with a softmax layer when `classes` is given, and alone otherwise.

    Args:
        angle: Whether the net also tells the direction of the hand; None: as the catalog says.

    Raises:
        InputError: an unknown name, a wrong number of classes, a net that knows no angle, or torch is not installed.
    """
    network = find(name)
    if angle:
        check_angle(name)
    if classes is not None and classes < 1:
        raise InputError(f"{classes} classes: a network needs at least one.")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"the network '{network.name}' needs torch, which is not installed: pip install 'handlens[train]'"
        ) from error
    count = network.classes if classes is None else classes
    if network.angle is None:
        return network.build(count)
    return network.build(count, angle=network.angle if angle is None else angle)


def check_angle(name: str) -> None:
    """Hold a network that is to tell by which angle a hand is turned against what it can.

    Raises:
        InputError: an unknown name, or it cannot.
    """
    if find(name).angle is None:
        able = [other.name for other in _ALL if other.angle is not None]
        raise InputError(f"the network '{name.lower()}' cannot tell an angle; those that can are {', '.join(able)}.")


def layer_table(name: str, classes: int | None = None, fused: bool = False) -> list[Row]:
    """Return the layers of a network with their parameters, counted without memory for them. Raises as `build` does."""
    find(name)
    try:
        import torch
    except ImportError:
        build(name, classes)  # says it
        raise
    from handlens.train.nets.fuse import fuse
    from handlens.train.nets.layers import rows

    with torch.device("meta"):
        net = build(name, classes)
        return rows(fuse(net) if fused else net)


def _nano(classes: int | None) -> Any:
    from handlens.train.nets.nano import Nano

    return Nano(classes or 9)


def _yolov3(name: str) -> Callable[[int | None], Any]:
    def make(classes: int | None) -> Any:
        from handlens.train.nets.darknet.net import Darknet

        return Darknet.standard(name, classes or 80)

    return make


def _yolov5(size: str) -> Callable[[int | None], Any]:
    def make(classes: int | None) -> Any:
        from handlens.train.nets.yolov5 import YoloV5

        return YoloV5(size, classes or 80)

    return make


def _backbone(name: str) -> Callable[[int | None], Any]:
    def make(classes: int | None) -> Any:
        from handlens.train.nets.backbones import backbone
        from handlens.train.nets.margins import Recogniser, margin

        net = backbone(name)
        return net if classes is None else Recogniser(net, margin("softmax", 512, classes))

    return make


def _gesture(name: str) -> Callable[..., Any]:
    def make(classes: int | None, angle: bool = False) -> Any:
        from handlens.train.nets import gestures

        return getattr(gestures, name)(classes, angle)

    return make


def _hand_net(channels: int) -> Callable[..., Any]:
    def make(classes: int | None, angle: bool = False) -> Any:
        from handlens.train.nets.hand_net import HandNet

        return HandNet(classes or 6, channels, angle)

    return make


def _contact_net(classes: int | None) -> Any:
    from handlens.train.nets.facetouch import FaceTouch

    return FaceTouch(pretrained=False)  # it always tells the same regions


def _face_hand_net(classes: int | None) -> Any:
    from handlens.train.nets.lite_detector import LiteDetector

    return LiteDetector(classes or 2)


def _hold_net(classes: int | None) -> Any:
    from handlens.train.nets.hold_net import HoldNet

    return HoldNet(classes or 2)


def _segment_net(classes: int | None) -> Any:
    from handlens.train.nets.segment_net import SegmentNet

    return SegmentNet(classes or 3)


def _mask(name: str) -> Callable[[int | None], Any]:
    def make(classes: int | None) -> Any:
        from handlens.train.nets import masknets

        return getattr(masknets, name)(classes)

    return make


def _lite(kind: str) -> Callable[[int | None], Any]:
    def make(classes: int | None) -> Any:
        from handlens.train.nets import lite_classifier, lite_detector, lite_segmenter

        if kind == "detect":
            return lite_detector.LiteDetector(classes or 2)
        if kind == "segment":
            return lite_segmenter.LiteSegmenter(classes or 1)
        return lite_classifier.LiteClassifier(classes or 2)

    return make


def _deeplab(classes: int | None) -> Any:
    from handlens.train.nets.deeplab import DeepLab

    return DeepLab(classes or 1)


_V3, _V5 = "YOLOv3 from its .cfg", "YOLOv5, release 5.0"
_RESIDUAL = "our own, residual blocks"
_LITE = "EfficientNet-Lite0, pre-trained"
_FACE, _ATTENTION, _MASK = "face recognition, with a margin", "convolutions and attention", "encoder and decoder"

_PAPER = f"{_FACE}, wired as in the paper"

_ALL = (
    Network("nano", "our own, without anchors", "touch", 9, 1_133_280, _nano),
    Network("contact-net", "our own, looks at faces", "touch", 9, 3_241_393, _contact_net),
    Network("face-hand-net", "our own, faces and hands by their centres", "touch", 2, 2_470_138, _face_hand_net),
    Network("yolov3", _V3, "touch", 80, 61_949_149, _yolov3("yolov3")),
    Network("yolov3-spp", _V3, "touch", 80, 62_998_749, _yolov3("yolov3-spp")),
    Network("yolov3-tiny", _V3, "touch", 80, 8_852_366, _yolov3("yolov3-tiny")),
    Network("yolov5n", _V5, "touch", 80, 1_882_525, _yolov5("n")),
    Network("yolov5s", _V5, "touch", 80, 7_276_605, _yolov5("s")),
    Network("yolov5m", _V5, "touch", 80, 21_375_645, _yolov5("m")),
    Network("yolov5l", _V5, "touch", 80, 47_056_765, _yolov5("l")),
    Network("yolov5x", _V5, "touch", 80, 87_775_965, _yolov5("x")),
    Network("mobileface", _FACE, "hold", None, 1_200_512, _backbone("mobileface")),
    Network("res50", _FACE, "hold", None, 74_886_208, _backbone("res50")),
    Network("res50_ir", _FACE, "hold", None, 43_590_848, _backbone("res50_ir")),
    Network("seres50_ir", _FACE, "hold", None, 43_813_568, _backbone("seres50_ir")),
    Network("res100_ir", _FACE, "hold", None, 65_156_160, _backbone("res100_ir")),
    Network("seres100_ir", _FACE, "hold", None, 65_528_384, _backbone("seres100_ir")),
    Network("attention_56", _FACE, "hold", None, 26_419_392, _backbone("attention_56")),
    Network("attention_92", _FACE, "hold", None, 134_559_424, _backbone("attention_92")),
    Network("attention_56-paper", _PAPER, "hold", None, 26_419_392, _backbone("attention_56-paper")),
    Network("attention_92-paper", _PAPER, "hold", None, 134_559_424, _backbone("attention_92-paper")),
    Network("hold-net", "our own, the encoder of our detector", "hold", 2, 1_142_866, _hold_net),
    Network("hand-net", f"{_RESIDUAL}, colour", "gesture", 6, 1_313_254, _hand_net(3), False),
    Network("silhouette-net", f"{_RESIDUAL}, silhouettes", "gesture", 6, 1_313_064, _hand_net(1), True),
    Network("digits6", _ATTENTION, "gesture", 6, 351_318, _gesture("digits6"), False),
    Network("gestures20", _ATTENTION, "gesture", 20, 105_012, _gesture("gestures20"), False),
    Network("segment-net", "our own, live", "segment", 3, 1_543_571, _segment_net),
    Network("snet", _MASK, "segment", 1, 3_519_745, _mask("SNet")),
    Network("vgg", _MASK, "segment", 1, 4_243_201, _mask("VGGDecoder")),
    Network("unet", _MASK, "segment", 1, 1_946_881, _mask("UNet")),
    Network("lite0", _LITE, "hold", 2, 2_940_402, _lite("classify")),
    Network("lite0-detect", _LITE, "touch", 2, 2_470_138, _lite("detect")),
    Network("lite0-segment", _LITE, "segment", 1, 3_264_345, _lite("segment")),
    Network("deeplabv3plus", "atrous pyramid over ResNet-34", "segment", 1, 22_437_457, _deeplab),
)

NETWORKS: dict[str, Network] = {network.name: network for network in _ALL}

OLD_NAMES = {
    "glove": "segment-net",
    "grip": "hold-net",
    "palm": "hand-net",
    "shadow": "silhouette-net",
    "contact": "contact-net",
    "facehand": "face-hand-net",
}
"""Names that networks had before version 0.2: commands, settings files and runs may still hold them."""
