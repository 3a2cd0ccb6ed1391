"""The nets that ship are trained from a user's set, from the shipped weights, and export to what tasks can ask."""

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.cli import run
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.yolo import write_yolo
from handlens.errors import InputError, ModelError
from handlens.predictor import load
from handlens.train.augment.config import PLAIN
from handlens.train.config import Settings
from handlens.train.export.graphs import ProbabilityGraph
from handlens.train.initial_weights import SHIPPED_NETS, load_initial_weights, trainable_weights
from handlens.train.kinds import TRAINING_KINDS
from handlens.train.loader.face_sample import NAMES, faces_of
from handlens.train.loader.loader import Samples
from handlens.train.nets import catalog
from handlens.train.nets.centre_loss import centre_targets
from handlens.train.nets.facetouch import FaceTouch
from handlens.train.nets.from_onnx import settle_norms, take_onnx_weights
from handlens.train.nets.hand_encoder import FaceHand
from handlens.train.run import _with_labels, prepared
from handlens.weights import demo_clip, resolve

SHORT = ["--epochs", "1", "--batch", "4", "--workers", "0", "--precision", "32"]


@pytest.mark.parametrize("name", SHIPPED_NETS)
def test_shipped_weights_answer_as_the_shipped_model(name: str) -> None:
    state, names = trainable_weights(name)  # refuses other answers by itself
    net = catalog.build(
        SHIPPED_NETS[name], len(names), **({"angle": True} if SHIPPED_NETS[name] == "silhouette-net" else {})
    )
    net.load_state_dict(state)


def test_weights_of_another_model_are_refused() -> None:
    net = catalog.build("silhouette-net", 4, angle=True)
    with pytest.raises(ModelError, match="has a kernel of"):
        take_onnx_weights(net, ProbabilityGraph(net), resolve("digits"), torch.zeros(1, 1, 64, 64))
    net = catalog.build("hold-net", 2)
    with pytest.raises(ModelError, match="layers with weights, but the network has"):
        take_onnx_weights(net, ProbabilityGraph(net), resolve("signs"), torch.zeros(1, 3, 96, 96))


def test_a_net_with_trainable_weights_answers_alike_in_training() -> None:
    state, names = trainable_weights("signs")
    net = catalog.build("hand-net", len(names))
    net.load_state_dict(state)
    for layer in net.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    torch.manual_seed(0)
    x = torch.nn.functional.interpolate(torch.randn(8, 3, 10, 10), (96, 96), mode="bilinear")
    before = net.eval()(x).detach()
    assert settle_norms(net, [x]) == 12
    torch.testing.assert_close(net.eval()(x).detach(), before, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(net.train()(x).detach(), before, atol=1e-2, rtol=1e-2)
    assert settle_norms(net, [x]) == 0


def test_touch_begins_with_its_published_float_weights() -> None:
    """The file that ships computes in 8 bits, and its weights are rounded."""
    net = FaceTouch(dropout=0.0, pretrained=False)
    assert load_initial_weights(net, "touch").endswith("tensors from 'touch'")
    x = torch.nn.functional.interpolate(torch.randn(4, 3, 12, 12), (144, 144), mode="bilinear").clamp(-1, 1)
    said = load("touch").runner.run(x.numpy())["touch_logit"][:, 0]
    own = net.eval()(x).touch[:, 0].detach().numpy()
    assert np.abs(said - own).max() < 1.5


def test_the_last_layer_goes_by_the_names_of_classes() -> None:
    state, names = trainable_weights("hold")
    assert names == ("nothing", "object")
    net = catalog.build("hold-net", 2)
    load_initial_weights(net, "hold", ("object", "nothing"))
    torch.testing.assert_close(net.out.weight[0], state["out.weight"][1])
    torch.testing.assert_close(net.out.weight[1], state["out.weight"][0])
    net = catalog.build("hold-net", 2)
    assert load_initial_weights(net, "hold", ("cup", "phone")).endswith("; the layer 'out' begins at random")


def test_targets_of_centres_hold_the_box() -> None:
    boxes = torch.tensor([[1, 1, 16.0, 24.0, 48.0, 40.0]])
    found = centre_targets(boxes, 2, 2, (8, 8))
    assert found["heat"][0].max() == 0
    assert found["heat"][1, 0].max() == 0
    row, col = divmod(int(found["heat"][1, 1].argmax()), 8)
    width, height, x, y = found["box"][1, 1, :, row, col].tolist()
    assert [np.exp(width) * 8, np.exp(height) * 8] == pytest.approx([32, 16])
    assert [(col + x) * 8, (row + y) * 8] == pytest.approx([32, 32])
    assert FaceHand().loss(FaceHand()(torch.zeros(2, 3, 64, 64)), boxes)["loss"] > 0


def frames(count: int) -> list[np.ndarray]:
    """Pictures of the demo clip: a face, now and then touched."""
    import av

    with av.open(str(demo_clip())) as clip:
        every = [
            frame.to_ndarray(format="rgb24") for _, frame in zip(range(count * 8), clip.decode(video=0), strict=False)
        ]
    return every[::8][:count]


def face_set(root: Path, names: tuple[str, ...] = ("face", "hand", "chin"), count: int = 6) -> Path:
    """A YOLO set of a clip; every second picture has a touch by its labels."""
    pictures, raw = [], root / "raw"
    raw.mkdir(parents=True)
    for number, image in enumerate(frames(count)):
        path = raw / f"{number}.jpg"
        cv2.imwrite(str(path), image[..., ::-1])
        h, w = image.shape[:2]
        boxes = {
            "face": [0.3 * w, 0.2 * h, 0.6 * w, 0.7 * h],
            "hand": [0.5 * w, 0.6 * h, 0.7 * w, 0.9 * h],
            "chin": [0.4 * w, 0.6 * h, 0.5 * w, 0.7 * h],
            "facetouch": [0.3 * w, 0.2 * h, 0.6 * w, 0.7 * h],
        }
        there = [name for name in names if name == "face" or number % 2]
        labels = np.array([names.index(name) for name in there], np.int64)
        rows = np.array([boxes[name] for name in there], np.float32).reshape(-1, 4)
        split = "train" if number < count - 2 else "val"
        pictures.append(Labelled(path, w, h, rows, labels, split=split, group=f"p{number}"))
    write_yolo(LabelledSet("detect", names, tuple(pictures), raw), root / "set")
    return root / "set"


def test_faces_carry_the_touches_that_lie_in_them(tmp_path: Path) -> None:
    boxes = np.array([[10, 10, 50, 60], [100, 10, 140, 60], [20, 40, 40, 55], [15, 50, 45, 80]], np.float32)
    picture = Labelled(
        Path("a.png"), 200, 100, boxes, np.array([0, 0, 2, 1]), pixels=lambda: np.zeros((100, 200, 3), np.uint8)
    )
    faces = faces_of(LabelledSet("detect", ("face", "hand", "knuckle"), (picture,)), 208)
    assert [[NAMES[label] for label in face.labels] for face in faces] == [["face", "touch", "hand"], ["face", "hand"]]
    side = 208 / (50 * 2.6)
    left, top, right, low = faces.pictures[0].boxes[0]
    assert [right - left, low - top] == pytest.approx([40 * side, 50 * side])
    assert [(left + right) / 2, (top + low) / 2] == pytest.approx([104, 104])


def test_a_sample_of_a_face_knows_touch_region_and_where_no_hand_is(tmp_path: Path) -> None:
    settings, found = prepared("touch", {"net": "contact-net", "data": str(face_set(tmp_path))}, None)
    from handlens.train.experiment import new_experiment

    experiment = new_experiment(settings, found.names)
    train = found.split("train")
    samples = Samples(train, experiment.card, PLAIN, kind=TRAINING_KINDS["contact"])
    one, other = samples[0, 1], samples[0, 0]
    assert one["image"].shape == (3, 144, 144)
    assert (one["touch"].item(), other["touch"].item()) == (1.0, 0.0)
    assert one["region"].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert one["region_weight"].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert (one["parts"] == 6).any()
    assert one["box"].sum() > 0
    assert other["box"].sum() == 0
    assert other["hand_weight"].min() > 0
    parts = experiment.loss(experiment.net, {key: torch.stack((one[key], other[key])) for key in one})
    assert torch.isfinite(parts["loss"])


def test_a_set_without_untouched_pictures_is_refused(tmp_path: Path) -> None:
    data = face_set(tmp_path, ("facetouch",))
    for file in (data / "labels" / "train").glob("*.txt"):
        file.write_text("0 .5 .5 .2 .2\n")
    with pytest.raises(InputError, match="is without a touch: add some, or train a detector with --net nano"):
        prepared("touch", {"net": "contact-net", "data": str(data)}, None)


def test_the_detector_learns_faces_and_hands_alone(tmp_path: Path) -> None:
    found = LabelledSet("detect", ("chin", "hand", "face"), (Labelled(Path("a"), 9, 9, np.eye(3, 4), np.arange(3)),))
    left = _with_labels(found, "face-hand-net")
    assert left.names == ("face", "hand")
    assert left.pictures[0].labels.tolist() == [1, 0]
    with pytest.raises(InputError, match="learns face and hand"):
        _with_labels(LabelledSet("detect", ("chin",), ()), "face-hand-net")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "names"), [("contact-net", ("facetouch",)), ("face-hand-net", ("face", "hand", "chin"))]
)
def test_one_verb_trains_the_two_nets_of_touch(tmp_path: Path, net: str, names: tuple[str, ...], capsys) -> None:
    data, out = face_set(tmp_path, names), tmp_path / "run"
    line = ["train", "touch", "--data", str(data), "--net", net, "--out", str(out), *SHORT]
    assert run(line) == 0, capsys.readouterr().err
    said = capsys.readouterr().err
    assert f"from '{'touch' if net == 'contact-net' else 'facehand'}'" in said
    predictor = load(out / f"{net}.onnx")
    assert predictor.card.kind == ("contact" if net == "contact-net" else "detect")
    answer = predictor.predict(frames(1)[0]).value
    assert {"face", "hand"} <= set(answer.names)
    assert (answer.touch is not None) == (net == "contact-net")
    assert run(["evaluate", str(out / f"{net}.onnx"), "--data", str(data), "--resamples", "0"]) == 0
    assert run(["evaluate", str(out / "best.ckpt"), "--data", str(data), "--resamples", "0"]) == 0
    if net == "face-hand-net":  # of a detector that learned nothing many boxes are equally good
        return
    assert run([*line[:-8], *SHORT, "--epochs", "2", "--start", "none", "--fresh"]) == 0
    assert "took" not in capsys.readouterr().err


def test_start_none_is_a_setting_and_the_default_is_the_shipped_model() -> None:
    from handlens.train.defaults import defaults_of

    assert {net: defaults_of(net).settings.get("start", "") for net in ("contact-net", "hold-net", "nano")} == {
        "contact-net": "touch", "hold-net": "", "nano": "",
    }  # fmt: skip
    assert Settings(start="none").start == "none"
