"""Combined answers for every hand of a picture: mask, sign and angle; where there is none it says so."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from combined_parts import RED, hand_picture, mask_model, sign_model

from handlens import weights
from handlens.card import ModelCard
from handlens.cli import run
from handlens.data.formats.detect_format import open_set
from handlens.errors import InputError, ModelError, NotYet
from handlens.evaluate.evaluate import evaluate
from handlens.io.draw import draw
from handlens.predictor import Predictor, load
from handlens.runner import FakeRunner, OnnxRunner
from handlens.tasks.combined import Composed, combined_card
from handlens.types import Frame, Hand, Label

BLUE = (20, 20, 230)


@pytest.fixture(scope="module")
def composed(tmp_path_factory) -> Composed:
    folder = tmp_path_factory.mktemp("parts")
    return Composed(
        {
            "segment": OnnxRunner(mask_model(folder / "seg.onnx")),
            "gesture": OnnxRunner(sign_model(folder / "sign.onnx")),
        }
    )


@pytest.fixture(scope="module")
def model(composed) -> Predictor:
    return Predictor(composed, composed.parts)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that ships both parts, and nothing else."""
    folder = tmp_path / "models"
    folder.mkdir()
    mask_model(folder / "segment.onnx")
    sign_model(folder / "digits.onnx")
    monkeypatch.setattr(weights, "SHIPPED", folder)
    monkeypatch.setattr(weights, "verify", lambda file: None)
    return folder


def hands(model, image, **asked) -> tuple[Hand, ...]:
    return model.predict(Frame(image), **asked).value


def box_of(image, colour=RED):
    rows, columns = np.nonzero((image == colour).all(axis=2))
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


class TestHands:
    def test_every_hand_has_a_box_a_sign_an_angle_and_a_mask_in_source_pixels(self, model):
        small, large = (130, 260, 24), (450, 220, 40)
        image = hand_picture(480, 640, small, large)
        found = hands(model, image)
        assert len(found) == 2
        for hand, alone in zip(found, (large, small), strict=True):
            picture = hand_picture(480, 640, alone)
            np.testing.assert_allclose(hand.xyxy, box_of(picture), atol=6)  # a pixel of the map is five of the picture
            assert hand.gesture.name in ("zero", "one", "two", "three")
            assert sum(hand.gesture.scores.values()) == pytest.approx(1, abs=1e-5)
            assert -180 <= hand.angle <= 180
            told, true = hand.whole_mask(480, 640) > 0, (picture == RED).all(axis=2)
            assert (told & true).sum() / (told | true).sum() > 0.9

    def test_what_is_red_no_hand_or_too_small_is_none(self, model):
        assert hands(model, np.full((480, 640, 3), 90, np.uint8)) == ()
        assert hands(model, hand_picture(480, 640, (300, 200, 40), colour=BLUE)) == ()
        assert hands(model, hand_picture(480, 640, (300, 200, 5))) == ()

    @pytest.mark.parametrize(("height", "width"), [(480, 640), (300, 300), (64, 900), (1, 1), (3, 700)])
    def test_a_picture_that_is_all_hand_is_no_guess(self, model, height, width):
        assert hands(model, np.full((height, width, 3), RED, np.uint8)) == ()

    def test_the_same_hand_is_seen_alike_in_pictures_of_any_proportions(self, composed):
        shown = []

        def told(batch):
            shown.append(batch)
            return {"probabilities": np.full((len(batch), 4), 0.25, np.float32)}

        parts = {**composed.parts, "gesture": FakeRunner(composed.parts["gesture"].card, told)}
        watched = Predictor(Composed(parts))
        for height, width in ((480, 640), (480, 480), (640, 480), (300, 640)):
            hands(watched, hand_picture(height, width, (200, 150, 50)))
        shapes = [(batch[0, 0] > 0).astype(float) for batch in shown]
        assert len(shapes) == 4
        for shape in shapes[1:]:
            assert (shape * shapes[0]).sum() / np.maximum(shape, shapes[0]).sum() > 0.85

    def test_a_mask_net_of_stretched_pictures_is_shown_them_in_proportion(self, composed):
        segment = ModelCard("snet", "segment", "segment", ("background", "hand"), (64, 64), "stretch")
        assert combined_card(segment, composed.parts["gesture"].card).resize == "letterbox"

    def test_a_hand_in_the_grey_around_the_picture_is_none(self, composed):
        maps = np.zeros((1, 3, 96, 128), np.float32)
        maps[0, 0], maps[0, 1, 2:20, 30:60] = 0.5, 1
        parts = {**composed.parts, "segment": FakeRunner(composed.parts["segment"].card, {"probabilities": maps})}
        assert hands(Predictor(Composed(parts)), np.zeros((100, 400, 3), np.uint8)) == ()
        assert len(hands(Predictor(Composed(parts)), np.zeros((300, 400, 3), np.uint8))) == 1

    def test_the_minimum_score_leaves_hands_out(self, model):
        image = hand_picture(480, 640, (300, 200, 40))
        (hand,) = hands(model, image, min_score=0)
        assert hands(model, image, min_score=min(1.0, hand.gesture.score + 0.01)) == ()

    def test_a_hand_at_the_border_is_whole(self, model):
        for x, y in ((55, 200), (590, 200), (300, 60), (300, 435)):
            image = hand_picture(480, 640, (x, y, 50))
            (hand,) = hands(model, image)
            np.testing.assert_allclose(hand.xyxy, box_of(image), atol=6)
            assert (hand.xyxy >= 0).all()
            assert (hand.xyxy <= (640, 480, 640, 480)).all()


def test_a_mask_must_fit_its_box():
    label = Label("one", 0.9)
    hand = Hand([1.5, 2, 4, 5.2], label, mask=np.ones((4, 3), np.uint8))
    assert hand.window == (1, 2, 4, 6)
    assert np.argwhere(hand.whole_mask(5, 10)).tolist() == [[y, x] for y in (2, 3, 4) for x in (1, 2, 3)]
    assert Hand([1, 2, 3, 4], label).whole_mask(5, 5) is None
    with pytest.raises(ValueError, match=r"Hand\.mask: expected shape \(4, 3\), got \(3, 3\)"):
        Hand([1.5, 2, 4, 5.2], label, mask=np.ones((3, 3), np.uint8))


class TestParts:
    def test_the_card_is_of_both(self, composed):
        card = composed.card
        assert (card.kind, card.task, card.name) == ("combined", "combined", "combined")
        assert card.names == ("zero", "one", "two", "three")
        assert card.size == (96, 128)
        assert card.calibration == {"a": 0.8, "b": 0.0}
        assert card.parts == {"segment": "seg", "gesture": "sign"}
        assert card.options == {"hand": 1.0, "sure": 0.0}
        assert ModelCard.from_json(card.to_json()) == card

    def test_a_card_that_does_not_say_which_class_is_the_hand_is_refused(self):
        with pytest.raises(ModelError, match="needs the option 'hand'"):
            ModelCard("x", "combined", "combined", ("a",), (64, 64), "letterbox")

    @pytest.mark.parametrize(
        ("role", "changes", "said"),
        [
            ("segment", {"names": ("background", "skin")}, "has no class 'hand', it knows background, skin"),
            ("segment", {"kind": "classify", "task": "hold"}, "makes no masks, it answers 'hold'"),
            ("gesture", {"options": {}}, "looks at pictures in colour, and a mask has none"),
            ("gesture", {"kind": "segment", "task": "segment"}, "tells no gestures, it answers 'segment'"),
        ],
    )
    def test_parts_that_do_not_fit_are_refused(self, composed, role, changes, said):
        from dataclasses import replace

        cards = {name: part.card for name, part in composed.parts.items()}
        with pytest.raises(InputError, match=said):
            combined_card(**{**cards, role: replace(cards[role], **changes)})

    def test_the_name_opens_the_shipped_parts(self, package):
        model = load("Combined")
        assert {role: part.path.stem for role, part in model.parts.items()} == {
            "segment": "segment",
            "gesture": "digits",
        }
        (hand,) = hands(model, hand_picture(480, 640, (300, 200, 40)))
        assert hand.gesture.name in model.card.names

    def test_without_one_of_them_it_says_which(self, package):
        (package / "segment.onnx").unlink()
        with pytest.raises(NotYet, match="the model 'segment' does not exist yet"):
            load("combined")

    def test_it_has_no_file_of_its_own_unless_one_lies_in_the_cache(self, package):
        with pytest.raises(ModelError, match="no file of its own, it is 'segment' and 'digits' together"):
            weights.resolve("combined")
        assert weights.parts_of("COMBINED") == {"segment": "segment", "gesture": "digits"}
        assert weights.parts_of("digits") == {}
        weights.cache_dir().mkdir(parents=True, exist_ok=True)
        (weights.cache_dir() / "combined.onnx").write_bytes(b"x")
        try:
            assert weights.parts_of("combined") == {}
            assert weights.resolve("combined") == weights.cache_dir() / "combined.onnx"
        finally:
            (weights.cache_dir() / "combined.onnx").unlink()


class TestVerbs:
    def test_models_and_check_tell_of_it(self, package, capsys):
        assert run(["models"]) == 0
        assert "combined     segment + digits, " in capsys.readouterr().out
        assert run(["models", "combined"]) == 0
        told = capsys.readouterr().out
        assert "each hand that 'segment' marks, shown to 'digits' without its forearm" in told
        assert str(package / "segment.onnx") in told
        assert "parts        segment segment, gesture digits" in told
        run(["check"])
        assert "ok      model combined" in capsys.readouterr().out

    def test_predict_writes_lines_masks_and_pictures(self, package, tmp_path, capsys):
        picture = tmp_path / "two.png"
        image = hand_picture(300, 400, (90, 150, 18), (280, 150, 24))
        cv2.imwrite(str(picture), image[..., ::-1])
        cv2.imwrite(str(tmp_path / "none.png"), np.full((50, 60, 3), 90, np.uint8))
        out, lines = tmp_path / "out", tmp_path / "lines.jsonl"
        given = [str(picture), str(tmp_path / "none.png"), "-m", "combined", "--out", str(out), "--json", str(lines)]
        assert run(["predict", *given]) == 0
        assert "frames with a hand" in capsys.readouterr().err
        first, second = (json.loads(line) for line in lines.read_text().splitlines())
        assert (first["task"], first["model"]) == ("combined", "combined")
        assert second["value"] == {"hand_found": False, "hands": []}
        assert first["value"]["hand_found"] is True
        for number, hand in enumerate(first["value"]["hands"], 1):
            assert set(hand) >= {"xyxy", "label", "score", "scores", "angle", "mask"}
            assert hand["mask"] == str(out / f"two_hand{number}.png")
            mask = cv2.imread(hand["mask"], cv2.IMREAD_UNCHANGED)
            assert mask.shape == (300, 400)
            assert set(np.unique(mask)) == {0, 1}
            x1, y1, x2, y2 = (round(side) for side in hand["xyxy"])
            assert mask[y1:y2, x1:x2].mean() > 0.2
        drawn = cv2.imread(str(out / "two.png"))[..., ::-1]
        assert (drawn != image).any(axis=2).mean() > 0.05

    def test_evaluate_counts_the_largest_hand_and_no_hand_as_wrong(self, package, tmp_path, capsys):
        model = load("combined")
        names: dict[str, int] = {}
        for number in range(6):
            image = hand_picture(240, 320, (160, 120, 20 + 2 * number), (40, 200, 8), fingers=(-60, 0, 20 * number))
            name = hands(model, image)[0].gesture.name
            names[name] = names.get(name, 0) + 1
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "set" / name / f"{number}.png"), image[..., ::-1])
        for number in range(2):
            cv2.imwrite(str(tmp_path / "set" / name / f"none{number}.png"), np.full((60, 60, 3), 90, np.uint8))
        (tmp_path / "set" / "zero").mkdir(exist_ok=True)
        (tmp_path / "set" / "one").mkdir(exist_ok=True)
        report = evaluate(model, open_set(tmp_path / "set"), resamples=0).report
        assert report["accuracy"].value == pytest.approx(6 / 8)
        assert report["hand found"].value == pytest.approx(6 / 8)
        assert run(["evaluate", "combined", "--data", str(tmp_path / "set"), "--resamples", "0", "--turns", "2"]) == 0
        assert "angle error median" in capsys.readouterr().out

    def test_a_set_of_masks_is_no_set_to_measure_it_on(self, package, tmp_path, capsys):
        for folder in ("images", "masks"):
            (tmp_path / "set" / folder).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / "set" / folder / "a.png"), np.zeros((20, 20, 3), np.uint8))
        assert run(["evaluate", "combined", "--data", str(tmp_path / "set")]) == 2
        assert "needs a set to classify" in capsys.readouterr().err


def test_masks_are_drawn_also_on_small_pictures(model):
    for height, width in ((60, 80), (480, 640)):
        image = hand_picture(height, width, (width // 2, height // 2, height // 8))
        result = model.predict(Frame(image))
        assert len(result.value) == 1
        drawn = draw(Frame(image), result)
        zoom = drawn.shape[0] // height
        assert drawn.shape == (height * zoom, width * zoom, 3)
        centre = drawn[drawn.shape[0] // 2 + 3 * zoom, drawn.shape[1] // 2 - 5 * zoom]
        assert (centre != RED).any()


def test_a_file_of_another_kind_is_no_part(tmp_path: Path):
    sign = OnnxRunner(sign_model(tmp_path / "sign.onnx"))
    with pytest.raises(InputError, match="makes no masks"):
        Composed({"segment": sign, "gesture": sign})
