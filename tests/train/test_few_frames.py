"""Learning masks from few labelled frames: which ones, how they are changed, and what a net begins with."""

import csv
import re
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training_sets import noise

from handlens.cli import run
from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.runner import OnnxRunner
from handlens.train.augment.config import AugmentConfig, find_preset
from handlens.train.augment.geometry import draw_transform
from handlens.train.checkpoints import read_checkpoint
from handlens.train.initial_weights import load_encoder_weights, load_initial_weights, rebuilt
from handlens.train.nets.masknets import UNet
from handlens.train.run import prepared

SHORT = ["--epochs", "1", "--workers", "0", "--precision", "32", "--size", "25", "--batch", "2"]

pytestmark = pytest.mark.usefixtures("quick_figures")


def masks_set(root: Path, highest: int = 1) -> Path:
    """Twelve pictures to learn from, of four people with unequally many, and two to measure."""
    rng, rows = np.random.default_rng(0), []
    for split, groups in (("train", "aaaaaaabbbcd"), ("val", "ef")):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for number, group in enumerate(groups):
            mask = np.zeros((40, 32), np.uint8)
            for value in range(1, highest + 1):
                y, x = rng.integers(0, 24, 2)
                mask[y : y + 12, x : x + 12] = value
            image = noise(40, 32, number)
            image[mask > 0] = 255
            cv2.imwrite(str(root / "images" / split / f"{number}.png"), image)
            cv2.imwrite(str(root / "masks" / split / f"{number}.png"), mask)
            rows.append((f"images/{split}/{number}.png", group))
    with (root / "groups.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "group"), *rows])
    return root


def learned(data: Path, net: str = "unet", **more: object) -> LabelledSet:
    _, found = prepared("segment", {"data": str(data), "net": net, **more}, None)
    return found.split("train")


def names(found: LabelledSet) -> set[str]:
    return {picture.name for picture in found}


def test_few_frames_are_the_same_for_every_net_and_nested(tmp_path: Path) -> None:
    data = masks_set(tmp_path)
    some = {count: learned(data, frames=count) for count in (4, 6, 12)}
    assert [len(found) for found in some.values()] == [4, 6, 12]
    assert names(some[4]) < names(some[6]) < names(some[12])
    assert {picture.group for picture in some[4]} == {*"abcd"}
    assert names(learned(data, "snet", frames=6)) == names(some[6])
    assert names(learned(data)) == names(some[12])
    assert any(names(learned(data, frames=6, seed=seed)) != names(some[6]) for seed in range(1, 5))


def test_more_frames_than_there_are_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frames = 13, but the training part"):
        learned(masks_set(tmp_path), frames=13)
    with pytest.raises(InputError, match="frames must be 0"):
        learned(tmp_path, frames=-1)


@pytest.mark.slow
def test_the_run_and_its_card_say_how_many_frames_there_were(tmp_path: Path, capsys) -> None:
    data, out = masks_set(tmp_path / "set"), tmp_path / "run"
    line = ["train", "segment", "--data", str(data), "--net", "unet", "--out", str(out), *SHORT]
    assert run([*line, "--set", "frames=4", "--set", "augment=few", "--seed", "3"]) == 0, capsys.readouterr().err
    assert "training unet on 4 pictures, measuring on 2" in capsys.readouterr().err
    assert tomllib.loads((out / "config.toml").read_text())["frames"] == 4
    card = OnnxRunner(out / "unet.onnx").card
    assert card.data == ("pictures of the user: set, 4 of its training part, drawn by seed 3",)
    assert card.size == (25, 25)  # no multiple of the stride


def test_few_pictures_are_told_of_the_stronger_preset(tmp_path: Path, capsys) -> None:
    data = masks_set(tmp_path)
    learned(data)
    assert "12 pictures are few to learn from: --set augment=few" in capsys.readouterr().err
    learned(data, augment="few")
    assert capsys.readouterr().err == ""


def test_the_look_for_few_frames_shows_near_and_far_and_never_beside_the_picture() -> None:
    rng = np.random.default_rng(0)
    moves = [draw_transform(rng, find_preset("few")) for _ in range(2000)]
    zooms = np.array([move.zoom for move in moves])
    assert 0.5 <= zooms.min() < 0.55
    assert 1.8 < zooms.max() <= 2
    assert np.median(zooms) == pytest.approx(1, abs=0.05)
    rng = np.random.default_rng(0)
    moves = [draw_transform(rng, AugmentConfig(zoom=1.0, crop=1.0)) for _ in range(2000)]
    room = np.array([max(0.0, move.zoom - 1) / 2 for move in moves])
    across = np.array([abs(move.shift[0]) for move in moves])
    assert (across <= room + 1e-9).all()
    assert (across > 0.9 * room).sum() > 100


def test_another_head_is_made_of_the_old_one_and_the_body_is_kept(tmp_path: Path) -> None:
    torch.manual_seed(0)
    taught, net = UNet(3), UNet(1)
    torch.save(taught.state_dict(), tmp_path / "three.pt")
    said = load_initial_weights(net, str(tmp_path / "three.pt"), ("background", "skin"))
    made = "the last layer, 'out', is rebuilt from what it knew"
    assert said == f"took 30 of 30 tensors from '{tmp_path / 'three.pt'}'; {made}"
    assert torch.equal(net.up[2][1][0].weight, taught.up[2][1][0].weight)
    x = torch.rand(1, 3, 16, 16)
    ground, hand, face = taught.eval()(x)[0]
    torch.testing.assert_close(net.eval()(x)[0, 0], (hand + face) / 2 - ground)


def test_classes_of_the_same_name_keep_their_rows() -> None:
    old, before = torch.arange(3.0)[:, None], ("background", "hand", "face")
    assert rebuilt(old, 3, before, ("background", "face", "hand")).flatten().tolist() == [0, 2, 1]
    assert rebuilt(old, 3, before, ("background", "face", "skin")).flatten().tolist() == [0, 2, 1.5]
    assert rebuilt(old, 3, (), ("background", "face", "skin")).flatten().tolist() == [0, 1.5, 1.5]
    assert rebuilt(old + 1, 1, before, ("background", "face")).flatten().tolist() == [2]
    assert rebuilt(old[1:2], 3, ("background", "hand"), before).flatten().tolist() == [0, 1, 1]


def test_a_head_of_no_known_place_begins_by_chance(tmp_path: Path) -> None:
    torch.save(UNet(3).state_dict(), tmp_path / "three.pt")
    net = UNet(1)
    before = net.out.weight.clone()
    assert load_initial_weights(net, str(tmp_path / "three.pt")).endswith("; the layer 'out' begins at random")
    assert torch.equal(net.out.weight, before)


@pytest.mark.slow
def test_a_run_of_other_classes_is_a_beginning(tmp_path: Path, capsys) -> None:
    three, two = masks_set(tmp_path / "three", 2), masks_set(tmp_path / "two")
    line = ["train", "segment", "--net", "unet", *SHORT]
    assert run([*line, "--data", str(three), "--out", str(tmp_path / "a")]) == 0
    start = ["--start", str(tmp_path / "a")]
    assert run([*line, "--data", str(two), "--out", str(tmp_path / "b"), *start]) == 0, capsys.readouterr().err
    assert "took 30 of 30 tensors" in capsys.readouterr().err
    assert OnnxRunner(tmp_path / "b" / "unet.onnx").card.names == ("background", "hand")
    taught = read_checkpoint(tmp_path / "a" / "best.ckpt")
    net = UNet(1)
    load_initial_weights(net, str(tmp_path / "a"), ("background", "face"))
    kernel = taught["state_dict"]["net.out.weight"]
    torch.testing.assert_close(net.out.weight.detach()[0], kernel[2] - kernel[0])
    turned = UNet(3)
    load_initial_weights(turned, str(tmp_path / "a"), ("background", "face", "hand"))
    assert torch.equal(turned.out.weight, kernel[[0, 2, 1]])
    assert load_initial_weights(turned, str(tmp_path / "a"), ("background", "hand", "face")).endswith("/a'")
    assert torch.equal(turned.out.weight, kernel)


def vgg_weights(path: Path) -> dict[str, torch.Tensor]:
    """A file as torchvision's vgg16 has it, its first three blocks only."""
    torch.manual_seed(1)
    sides = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)}
    state = {f"features.{n}.weight": torch.randn(cout, cin, 3, 3) * 0.05 for n, (cin, cout) in sides.items()}
    state |= {f"features.{n}.bias": torch.randn(cout) * 0.1 for n, (_, cout) in sides.items()}
    torch.save(state, path)
    return state


def encoder_of(run_folder: Path) -> dict[str, torch.Tensor]:
    state = read_checkpoint(run_folder / "last.ckpt")["state_dict"]
    return {name: value for name, value in state.items() if name.startswith("net.down")}


@pytest.mark.slow
def test_a_pretrained_encoder_stays_as_it_was(tmp_path: Path, capsys) -> None:
    data, state = masks_set(tmp_path / "set"), vgg_weights(tmp_path / "vgg16.pth")
    line = ["train", "segment", "--data", str(data), "--net", "vgg", "--out", str(tmp_path / "run"), *SHORT]
    # decay and averaged weights are what could move weights that have no gradient
    moving = ["--set", "optimiser=adamw", "--set", "decay=0.5", "--set", "average=0.9", "--rate", "0.01"]
    assert run([*line, *moving, "--pretrained", str(tmp_path / "vgg16.pth")]) == 0, capsys.readouterr().err
    frozen = encoder_of(tmp_path / "run")
    places = ("0.0", "0.1", "1.0", "1.1", "2.0", "2.1", "2.2")
    for place, number in zip(places, (0, 2, 5, 7, 10, 12, 14), strict=True):
        for part in ("weight", "bias"):
            assert torch.equal(frozen[f"net.down.{place}.0.{part}"], state[f"features.{number}.{part}"])


def test_without_pretrained_weights_the_encoder_learns(tmp_path: Path, capsys) -> None:
    from handlens.train.nets.masknets import VGGDecoder

    net = VGGDecoder()
    load_encoder_weights(net, "vgg", "none")
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_a_net_without_an_encoder_says_so() -> None:
    with pytest.raises(InputError, match="'unet' has no pretrained encoder, as lite0, vgg and deeplabv3plus have"):
        load_encoder_weights(UNet(), "unet", "imagenet")


OFFLINE = [
    ([], 0, r"weights of vgg16 cannot be had \(.*\): give a file of them \(--pretrained vgg16\.pth\)"),
    (["--pretrained", "none.pth"], 0, "there is no file 'none.pth' with weights of vgg16: give a file"),
    *((["--pretrained", "wrong.pth"], seed, "'wrong.pth' is not a file of plain tensors") for seed in range(8)),
    (["--pretrained", "a.pth", "--no-pretrained"], 0, "contradict each other"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("more", "seed", "said"), OFFLINE)
def test_what_cannot_be_had_is_one_sentence(
    tmp_path: Path, monkeypatch, capsys, more: list[str], seed: int, said: str
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    data = masks_set(tmp_path / "set")
    monkeypatch.setattr("torch.hub.urlopen", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("wrong.pth").write_bytes(np.random.default_rng(seed).bytes(1000))
    assert run(["train", "segment", "--data", str(data), "--net", "vgg", *SHORT, *more]) == 2
    told = capsys.readouterr()
    last = told.err.strip().splitlines()[-1]
    assert told.out == ""
    assert last.startswith("handlens: ")

    assert re.search(said, last), last
    assert not (tmp_path / "runs").exists()
