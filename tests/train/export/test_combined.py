"""One file of both parts answers as they do one after the other, in batches of any size, and is refused otherwise."""

import importlib.util
import json
import shutil

import cv2
import numpy as np
import pytest
from combined_parts import hand_picture, mask_model, sign_model

from handlens.cli import run
from handlens.errors import InputError, ModelError
from handlens.io.sources.open import open_source
from handlens.kinds.hand_crop import find_crops
from handlens.offline import import_onnxruntime
from handlens.predictor import Predictor, load
from handlens.preprocess import prepare
from handlens.runner import FakeRunner, OnnxRunner
from handlens.silhouette import seen
from handlens.tasks.combined import Composed
from handlens.train.export.combined import TOLERANCE, compare, export_combined, part_file
from handlens.types import Frame
from handlens.weights import demo_clip, shipped

onnx = pytest.importorskip("onnx")

PICTURES = {
    "one hand": hand_picture(200, 300, (120, 100, 24)),
    "none": np.full((200, 300, 3), 90, np.uint8),
    "two hands": hand_picture(300, 260, (60, 100, 16), (180, 190, 24)),
    "forearm": hand_picture(240, 320, (160, 90, 22), forearm=9),
    "last row and column": hand_picture(240, 320, (300, 220, 30)),
    "all hand": np.full((96, 128, 3), (230, 20, 20), np.uint8),
    "specks": hand_picture(240, 320, (40, 40, 3), (100, 100, 3), fingers=()),
    "two of one size": hand_picture(240, 320, (80, 120, 20), (240, 120, 20), fingers=()),
    "three hands and specks": cv2.circle(
        hand_picture(240, 320, (50, 90, 14), (160, 150, 20), (270, 90, 17)), (160, 20), 3, (230, 20, 20), -1
    ),
}
HANDS = dict(zip(PICTURES, (1, 0, 2, 1, 1, 0, 0, 2, 3), strict=True))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file of both, and both one after the other."""
    folder = tmp_path_factory.mktemp("parts")
    parts = mask_model(folder / "seg.onnx", stride=2), sign_model(folder / "sign.onnx", int8=True)
    file = export_combined(*parts, folder / "both.onnx")
    return file, Composed(dict(zip(("segment", "gesture"), map(OnnxRunner, parts), strict=True)))


def batch(card, names) -> np.ndarray:
    return np.concatenate([prepare(PICTURES[name], card)[0] for name in names])


def test_a_class_that_is_part_of_hands_is_cropped_with_them(tmp_path) -> None:
    names = ("background", "hand", "face", "forearm")
    options = {"part": 3.0, "whole": 1.0}
    parts = (
        mask_model(tmp_path / "seg.onnx", names=names, stride=2, options=options),
        sign_model(tmp_path / "sign.onnx"),
    )
    file = OnnxRunner(export_combined(*parts, tmp_path / "both.onnx"))
    composed = Composed(dict(zip(("segment", "gesture"), map(OnnxRunner, parts), strict=True)))
    assert composed.card.options["part"] == 3
    whole = hand_picture(240, 320, (160, 90, 22), forearm=9)
    pictures = {"red": whole, "little": whole.copy(), "much": whole.copy()}
    green = np.where((whole == (230, 20, 20)).all(axis=2, keepdims=True), (20, 230, 20), whole)
    pictures["little"][90:102, 154:166], pictures["much"][112:] = green[90:102, 154:166], green[112:]
    tensors = {name: prepare(image, composed.card)[0] for name, image in pictures.items()}
    found = {name: composed.run(tensor) for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        compare(file.run(tensor), found[name])
        assert found[name]["found"].all()
    masks = {name: arrays["hand"][0] > 0 for name, arrays in found.items()}
    # A little of it may be the heel of the hand: the shape of both decides. Much of it goes, and nothing else does.
    assert (masks["red"] & masks["little"]).sum() / (masks["red"] | masks["little"]).sum() > 0.8
    red = tensors["much"][0, 0] > tensors["much"][0, 1] + 0.4
    kept = cv2.resize(masks["much"].astype(np.uint8), red.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    assert (kept & red).sum() / (kept | red).sum() > 0.85
    ours, theirs = (Predictor(runner, {}).predict(Frame(whole)).value[0] for runner in (file, composed))
    assert np.array_equal(ours.xyxy, theirs.xyxy)
    assert np.array_equal(ours.mask, theirs.mask)
    assert ours.mask.mean() > 0.3


def worst(ours, theirs) -> float:
    return max(float(np.abs(ours[name].astype(float) - theirs[name].astype(float)).max(initial=0)) for name in theirs)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_batches_of_any_size_are_answered_as_by_the_parts(made, count):
    file, composed = made
    names = list(PICTURES)
    for first in range(0, len(names), count):
        x = batch(composed.card, names[first : first + count])
        ours, theirs = OnnxRunner(file).run(x), composed.run(x)
        assert set(ours) == set(theirs) == {"mask", "found", "picture", "box", "probabilities", "angle", "hand"}
        assert {name: value.shape for name, value in ours.items()} == {n: value.shape for n, value in theirs.items()}
        assert worst(ours, theirs) <= 1e-5


def test_each_picture_of_a_batch_is_answered_as_it_is_alone(made):
    runner, card = OnnxRunner(made[0]), made[1].card
    together = runner.run(batch(card, PICTURES))
    for number, name in enumerate(PICTURES):
        alone = runner.run(batch(card, [name]))
        own = together["picture"] == number
        rows = {key: value[number : number + 1] for key, value in together.items() if key in ("mask", "found")}
        rows |= {key: value[own] for key, value in together.items() if key in ("box", "probabilities", "angle", "hand")}
        assert {key: alone[key].shape for key in rows} == {key: value.shape for key, value in rows.items()}
        assert not alone["picture"].any()
        assert worst(alone, rows) <= 1e-5
    found = dict(zip(PICTURES, together["found"].tolist(), strict=True))
    assert [name for name, there in found.items() if not there] == ["none", "all hand", "specks"]
    assert np.bincount(together["picture"], minlength=len(PICTURES)).tolist() == list(HANDS.values())


def test_the_file_tells_of_all_hands_as_the_parts_do(made):
    file, composed = made
    whole, alone = Predictor(composed, composed.parts), load(file)
    for name, image in PICTURES.items():
        hands, told = whole.predict(Frame(image)).value, alone.predict(Frame(image)).value
        assert len(told) == len(hands) == HANDS[name], name
        for ours, theirs in zip(told, hands, strict=True):
            np.testing.assert_allclose(ours.xyxy, theirs.xyxy, atol=1e-3)
            assert ours.gesture.name == theirs.gesture.name
            assert ours.gesture.score == pytest.approx(theirs.gesture.score, abs=1e-3)
            assert ours.angle == pytest.approx(theirs.angle, abs=0.1)
            np.testing.assert_array_equal(ours.mask, theirs.mask)


def test_a_file_of_the_older_form_tells_of_the_largest_hand(made):
    composed = made[1]
    for name, image in PICTURES.items():
        hands = Predictor(composed, composed.parts).predict(Frame(image)).value
        told = composed.run(prepare(image, composed.card)[0])
        largest = {key: told[key][:1] for key in ("box", "probabilities", "angle")}
        if not HANDS[name]:
            largest = {key: np.zeros((1, *told[key].shape[1:]), np.float32) for key in largest}
        old = FakeRunner(composed.card, {"mask": told["mask"], "found": told["found"], **largest})
        one = Predictor(old).predict(Frame(image)).value
        assert len(one) == min(1, HANDS[name])
        for ours, theirs in zip(one, hands, strict=False):
            assert (ours.gesture.scores, ours.angle) == (theirs.gesture.scores, theirs.angle)
            np.testing.assert_array_equal(ours.mask, theirs.mask)


def wild_maps(rng, height, width):
    """A mask of clouds, bars, combs or single pixels."""
    kind = rng.integers(4)
    if kind < 2:
        cloud = cv2.GaussianBlur(rng.random((height, width)).astype(np.float32), (0, 0), rng.uniform(0.6, 5))
        white = cloud > np.quantile(cloud, rng.uniform(0.3, 0.95))
    else:
        white = np.zeros((height, width), bool)
        white[:: rng.integers(2, 6)] = True
        white[:, : rng.integers(1, width)] |= kind == 2
    noise = rng.uniform(0.5, 1, (height, width)).astype(np.float32)
    hand = np.where(white, noise, 1 - noise)
    return np.stack([1 - hand, hand])


@pytest.mark.slow
@pytest.mark.parametrize(("sure", "armed"), [(0.0, False), (0.75, False), (0.0, True)])
def test_any_mask_is_cropped_to_the_same_pixels(sure, armed):
    from handlens.train.export.crop_graph import crop_hands, crop_inputs

    model = onnx.inliner.inline_local_functions(crop_hands.to_model_proto())
    model.ir_version = 8
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = [onnx.numpy_helper.to_array(tensor) for tensor in crop_inputs(1, (64, 48), sure)]
    names = [value.name for value in session.get_inputs()]
    rng, several, unsure, empty = np.random.default_rng(0), 0, 0, 0
    for turn in range(40):
        height, width = rng.integers(4, 90, 2)
        maps = np.stack([wild_maps(rng, height, width) for _ in range(1 + turn % 4)])
        arms = np.zeros((len(maps), 1, height, width), bool)
        if armed:
            arms[:, :, : rng.integers(height // 2, height), : rng.integers(1, width)] = True
            arms &= rng.uniform(size=arms.shape) > 0.05
        every = dict(zip(names, [maps, arms.astype(np.float32), *given], strict=True))
        views, boxes, masks, pictures, count, found = session.run(None, every)
        crops = [find_crops(one, 1, sure, arm[0] if armed else None) for one, arm in zip(maps, arms, strict=True)]
        assert found.tolist() == [bool(some) for some in crops]
        assert pictures[: count[0]].tolist() == [number for number, some in enumerate(crops) for _ in some]
        assert len(views) == len(boxes) == max(1, count[0])
        for number, crop in enumerate(crop for some in crops for crop in some):
            assert boxes[number].tolist() == crop.shape.box.tolist()
            assert (masks[number, 0] == (crop.shape.mask > 0)).all()
            assert np.abs(views[number, 0] - seen(crop.shape, (64, 48))[..., 0]).max() <= 1
        several += sum(len(some) > 1 for some in crops)
        unsure += sum(len(some) < len(find_crops(one, 1)) for some, one in zip(crops, maps, strict=True))
        empty += not count[0]
    assert empty
    assert several > 10
    assert (unsure > 10) == (sure > 0 or armed)


class TestFiles:
    def test_it_has_standard_operators_alone_and_a_free_number_of_pictures(self, made):
        model = onnx.load(made[0])
        onnx.checker.check_model(model, full_check=True)
        assert [(found.domain, found.version) for found in model.opset_import] == [("", 18)]
        assert {node.domain for node in model.graph.node} == {""}
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
        names = ["mask", "found", "picture", "box", "probabilities", "angle", "hand"]
        assert [output.name for output in model.graph.output] == names

    def test_the_card_comes_back(self, made):
        file, composed = made
        assert OnnxRunner(file).card == composed.card
        assert OnnxRunner(file).card.mean == (0, 0, 0)

    def test_a_gesture_model_without_angle_gives_a_file_without(self, tmp_path):
        sign = sign_model(tmp_path / "sign.onnx", angle=False, size=(50, 50), options={"grey": 1.0})
        file = export_combined(
            mask_model(tmp_path / "seg.onnx", names=("background", "hand")), sign, tmp_path / "b.onnx"
        )
        assert list(OnnxRunner(file).outputs) == ["mask", "found", "picture", "box", "probabilities", "hand"]
        (hand,) = load(file).predict(Frame(PICTURES["forearm"])).value
        assert hand.angle is None

    def test_a_hand_of_which_the_mask_model_is_not_sure_is_none_in_the_file_too(self, tmp_path):
        seg = mask_model(tmp_path / "seg.onnx", thresholds={"score": 0.9})
        file = load(export_combined(seg, sign_model(tmp_path / "sign.onnx"), tmp_path / "c.onnx"))
        assert file.card.options["sure"] == 0.9
        red = PICTURES["forearm"]
        pale = red.copy()
        pale[red[..., 0] > 200] = (230, 100, 100)  # hand with 0.8
        assert len(file.predict(Frame(red)).value) == 1
        assert file.predict(Frame(pale)).value == ()

    def test_parts_may_fit_pictures_of_any_sides_and_have_later_operators(self, tmp_path):
        seg = mask_model(
            tmp_path / "seg.onnx", size=(128, 128), resize="fit", stride=4, names=("face", "background", "hand")
        )
        model = onnx.load(sign_model(tmp_path / "sign.onnx", angle=False))
        del model.graph.node[-2:]  # of ReduceL2 opset 18 has another form
        props = {entry.key: entry.value for entry in model.metadata_props}
        model.opset_import[0].version = 17
        later = onnx.version_converter.convert_version(model, 19)
        onnx.helper.set_model_props(later, props)
        onnx.save(later, str(tmp_path / "later.onnx"))
        file = export_combined(seg, tmp_path / "later.onnx", tmp_path / "both.onnx")
        assert onnx.load(file).opset_import[0].version == 19
        image = hand_picture(150, 450, (120, 75, 18), colour=(230, 20, 20))
        (hand,) = load(file).predict(Frame(image)).value
        rows, columns = np.nonzero(image[..., 0] > 200)
        np.testing.assert_allclose(hand.xyxy[:2], [columns.min(), rows.min()], atol=16)

    def test_what_answers_otherwise_is_refused_and_leaves_no_file(self, tmp_path, monkeypatch):
        monkeypatch.setattr("handlens.kinds.hand_crop.REACH", 1.5)
        parts = mask_model(tmp_path / "seg.onnx"), sign_model(tmp_path / "sign.onnx")
        with pytest.raises(ModelError, match=r"differ from those of its parts by .* in 'box'; at most 0\.001"):
            export_combined(*parts, tmp_path / "both.onnx")
        assert not list(tmp_path.glob("*both*"))

    def test_answers_are_compared_to_the_last_digit_that_counts(self):
        ours = {"a": np.array([1.0, 2.0])}
        compare(ours, {"a": ours["a"] + 0.9 * TOLERANCE})
        for theirs in (ours["a"] + 1.1 * TOLERANCE, np.array([1.0, np.nan]), np.array([1.0])):
            with pytest.raises(ModelError, match="in 'a'"):
                compare(ours, {"a": theirs})


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mask_model(tmp_path / "seg.onnx")
    sign_model(tmp_path / "sign.onnx")
    return tmp_path


class TestVerb:
    @pytest.mark.slow
    def test_it_writes_one_file_that_every_verb_takes(self, parts, capsys):
        (parts / "run").mkdir()
        shutil.copy(parts / "sign.onnx", parts / "run" / "palm.onnx")
        assert run(["export", "Combined", "--out", "my/both.onnx", "--segment", "seg.onnx", "--gesture", "run"]) == 0
        assert capsys.readouterr().out.startswith("my/both.onnx (")
        assert run(["models", "my/both.onnx"]) == 0
        assert "the hands that its own mask marks" in capsys.readouterr().out
        (parts / "set" / "one").mkdir(parents=True)
        (parts / "set" / "two").mkdir(parents=True)
        for name, image in (("one/a", PICTURES["one hand"]), ("two/b", PICTURES["none"])):
            cv2.imwrite(str(parts / "set" / f"{name}.png"), image[..., ::-1])
        assert (
            run(["predict", "set/*/*.png", "--model", "my/both.onnx", "--json", "lines.jsonl", "--out", "drawn"]) == 0
        )
        first, second = (json.loads(line)["value"] for line in (parts / "lines.jsonl").read_text().splitlines())
        assert first["hand_found"] is True
        assert first["hands"][0]["mask"].endswith("a_hand1.png")
        assert second == {"hand_found": False, "hands": []}
        assert run(["evaluate", "my/both.onnx", "--data", "set", "--resamples", "0"]) == 0

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--segment", "sign.onnx", "--gesture", "sign.onnx"], "makes no masks, it answers 'gesture'"),
            (["--segment", "seg.onnx", "--gesture", "seg.onnx"], "tells no gestures, it answers 'segment'"),
            (["--segment", "skin.onnx", "--gesture", "sign.onnx"], "no class 'hand', it knows background, skin"),
            (["--segment", "seg.onnx", "--gesture", "colour.onnx"], "looks at pictures in colour, and a mask has none"),
            (["--segment", "nothing.onnx"], "no model file at 'nothing.onnx'"),
            (["--segment", "seg.onnx", "--gesture", "digts"], "unknown model 'digts': did you mean 'digits'?"),
            (
                ["--segment", "seg.onnx", "--gesture", "empty"],
                "'empty' should be a run with one exported model, but has n",
            ),
            (["--segment", "seg.onnx", "--gesture", "one.onnx"], "was exported for batches of 1 alone"),
            (["--segment", "seg.onnx", "--gesture", "sign.onnx", "--int8"], "--int8 is not for 'combined'"),
            (["--segment", "seg.onnx", "--gesture", "sign.onnx", "--size", "64"], "--size is not for 'combined'"),
        ],
    )
    def test_what_cannot_be_joined_says_why(self, parts, capsys, flags, said):
        mask_model(parts / "skin.onnx", names=("background", "skin"))
        sign_model(parts / "colour.onnx", options={})
        sign_model(parts / "one.onnx", batch=1)
        (parts / "empty").mkdir()
        assert run(["export", "combined", "--out", "both.onnx", *flags]) == 2
        told = capsys.readouterr().err
        assert said in told.replace("\n", " ")
        assert told.count("\n") == 1
        assert not (parts / "both.onnx").exists()

    def test_other_mistakes(self, parts, capsys):
        for given, said in (
            (["combined", "--out", "both.weights"], "--out must end in .onnx, not 'both.weights'"),
            (["runs/x", "--out", "x.onnx", "--gesture", "digits"], "type handlens export combined --out x.onnx"),
            (["combined", "--out", "seg.onnx", "--segment", "seg.onnx"], "'seg.onnx' is one of the parts"),
        ):
            assert run(["export", *given]) == 2
            assert said in capsys.readouterr().err

    def test_without_the_package_onnx_it_says_what_to_type(self, parts, capsys, monkeypatch):
        there = importlib.util.find_spec
        monkeypatch.setattr("handlens.cli.errors.find_spec", lambda name: None if name == "onnx" else there(name))
        assert run(["export", "combined", "--out", "b.onnx", "--segment", "seg.onnx", "--gesture", "sign.onnx"]) == 2
        assert (
            "exporting needs onnx, which is not installed: type pip install 'handlens[train]'"
            in capsys.readouterr().err
        )


@pytest.mark.slow
def test_the_shipped_parts_make_one_file(tmp_path):
    if "segment" not in shipped():
        pytest.skip("the model 'segment' does not ship yet")
    file = export_combined(part_file("segment"), part_file("digits"), tmp_path / "both.onnx")
    composed = load("combined").runner
    with open_source(demo_clip(), every=60) as source:
        frames = [frame.image for frame in source.frames()][:5]
    x = np.concatenate([prepare(image, composed.card)[0] for image in frames])
    assert worst(OnnxRunner(file).run(x), composed.run(x)) <= TOLERANCE


def test_operators_of_others_are_refused(tmp_path):
    model = onnx.load(sign_model(tmp_path / "sign.onnx", angle=False))
    model.graph.node[1].domain = "com.microsoft"
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    from handlens.train.export import combined as combined_export

    onnx.save(model, str(tmp_path / "foreign.onnx"))
    with pytest.raises(InputError, match=r"operators of 'com\.microsoft'"):
        combined_export._read(tmp_path / "foreign.onnx", "gesture")
    model.opset_import[0].version = 21
    del model.graph.node[:]
    onnx.save(model, str(tmp_path / "new.onnx"))
    with pytest.raises(InputError, match="has ONNX opset 21: export it again with 20 or less"):
        combined_export._read(tmp_path / "new.onnx", "gesture")


def test_a_part_is_a_name_a_file_or_a_run(tmp_path):
    assert part_file("digits").stem == "digits"
    file = sign_model(tmp_path / "sign.onnx")
    assert part_file(str(file)) == part_file(str(tmp_path)) == file
    sign_model(tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"has 2: give the \.onnx itself"):
        part_file(str(tmp_path))
