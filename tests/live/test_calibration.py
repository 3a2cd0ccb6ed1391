"""The personal calibration: what it learns, what it does not forget, and that no file of a person is lost."""

import dataclasses
import json

import numpy as np
import pytest
from contact_fakes import CONTACT, REGIONS, contact

from handlens.errors import InputError, ModelError
from handlens.live import calibration
from handlens.live.calibration import MOST, Calibration, PersonalRunner, Samples, fit, parse_times
from handlens.live.guide import SETTLE_S, Guide, Timetable
from handlens.loop import Step
from handlens.result import Result
from handlens.runner import FakeRunner
from handlens.types import Detections, Frame

BATCH = np.zeros((1, 3, 160, 160), np.float32)


def scores(**given: float) -> dict[str, float]:
    return {**dict.fromkeys(REGIONS, 0.1), **given}


def filled(touch: float, front: float, frames: int = 10) -> Samples:
    """Touches at the chin and hands before the mouth, with these logits."""
    samples = Samples(CONTACT)
    for _ in range(frames):
        samples.add("touch", (touch, scores(chin=0.9)))
        samples.add("front", (front, scores(mouth=0.9)))
        samples.add("look", (-3.0, scores()))
    return samples


def anything() -> Samples:
    """What a recording shows that does not follow the steps: the same in each of them."""
    samples, draw = Samples(CONTACT), np.random.default_rng(0)
    for phase in ("look", "touch", "front", "object"):
        for _ in range(60):
            samples.add(phase, (float(draw.normal(0, 2)), scores(chin=float(draw.random()), ear=float(draw.random()))))
    return samples


def shifted(made: Calibration, logit: float, **given: float) -> float:
    """The logit of the card that an answer has afterwards, times a, as the model's calibration sees it."""
    values = {name: np.array([value], np.float32) for name, value in scores(**given).items()}
    return 2.0 * logit - 1.0 + float(made.added(values)[0])


def test_touches_that_were_missed_are_found_and_hands_before_the_face_stay_quiet():
    made = filled(touch=0.2, front=0.1).fitted(lambda: 0.0)  # both just below the threshold, at -0.6 and -0.8
    assert shifted(made, 0.2, chin=0.9) > 0
    assert shifted(made, 0.1, mouth=0.9) < -0.8
    assert made.frames == {"look": 10, "touch": 10, "front": 10, "object": 0}


def test_what_the_model_knows_already_stays_as_it_is():
    made = filled(touch=3.0, front=-3.0).fitted()
    assert abs(shifted(made, 3.0, chin=0.9) - 5.0) < 0.2
    assert abs(shifted(made, 0.0, nose=0.9) + 1.0) < 0.3  # a region that was not shown


def test_more_frames_of_the_same_picture_say_no_more():
    few, many = filled(0.2, 0.1, 5).fitted(), filled(0.2, 0.1, 500).fitted()
    assert few.shift == pytest.approx(many.shift, abs=1e-6)
    assert few.weights == pytest.approx(many.weights, abs=1e-6)


def test_the_fit_is_the_maximum_of_its_posterior():
    draw = np.random.default_rng(0)
    own, features = draw.normal(size=40), draw.normal(size=(40, 3))
    truth, weights = (draw.random(40) < 0.5).astype(float), draw.uniform(0.1, 1.0, 40)

    def loss(shift: float, slopes: list[float]) -> float:
        z = own + shift + features @ np.array(slopes)
        prior = 0.5 * (shift / 0.5) ** 2 + 0.5 * sum((w / 0.6) ** 2 for w in slopes)
        return float((weights * np.logaddexp(0, np.where(truth > 0, -z, z))).sum() + prior)

    shift, slopes = fit(own, features, truth, weights)
    best = loss(shift, slopes)
    for place in range(4):
        for step in (-1e-3, 1e-3):
            moved = [shift, *slopes]
            moved[place] += step
            assert loss(moved[0], moved[1:]) > best


def test_no_answer_is_shifted_without_bound():
    wild = Calibration("touch", "0", 50.0, {"chin": 50.0})
    assert wild.added({"chin": np.array([0.0, 1.0], np.float32)}).tolist() == [-MOST, MOST]


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (filled(1.0, 0.0, frames=4), "only 4 pictures show your face"),
        (filled(0.0, 1.0), "the touches look no surer than the hand before your face"),
        (filled(-3.5, -4.0), "the touches look no surer than your face without a hand"),
        (anything(), "the touches look no surer than"),
    ],
)
def test_a_calibration_that_would_teach_nonsense_is_refused(samples, sentence):
    with pytest.raises(InputError, match=sentence):
        samples.fitted()


def test_the_runner_answers_as_the_model_without_a_calibration_and_follows_one_at_once():
    runner = PersonalRunner(contact([0.4]))
    plain = runner.run(BATCH)["touch_logit"][0, 0]
    assert plain == np.float32(0.4)
    logit, seen = runner.taken()
    assert (logit, seen["chin"]) == (pytest.approx(0.4), pytest.approx(0.8))
    assert runner.taken() is None
    runner.calibration = Calibration("touch", "0", 1.0)
    assert runner.run(BATCH)["touch_logit"][0, 0] == pytest.approx(0.4 + 1.0 / 2.0)  # the card's a is 2
    assert runner.taken()[0] == pytest.approx(0.4)  # what is learned from is the model's own answer


def test_things_at_the_face_count_where_the_model_tells_of_them():
    given = contact([0.4])
    with_things = FakeRunner(CONTACT, {**given.run(BATCH), "object_scores": np.array([[0.9, 0.1]], np.float32)})
    runner = PersonalRunner(with_things, Calibration("touch", "0", 0.0, {"object_at_mouth": -0.5}))
    assert runner.run(BATCH)["touch_logit"][0, 0] < 0.4 - 0.5


def test_models_that_judge_no_faces_are_refused():
    card = dataclasses.replace(CONTACT, kind="detect", parts={})
    with pytest.raises(ModelError, match="cannot be calibrated"):
        PersonalRunner(FakeRunner(card, {}))


def test_the_file_is_read_again_and_counts_for_its_model_alone(tmp_path):
    made, said = filled(0.2, 0.1).fitted(lambda: 0.0), []
    file = calibration.save(made, tmp_path / "c.json")
    again = calibration.load(CONTACT, file, said.append)
    assert again is not None
    assert again.weights == pytest.approx(made.weights, abs=1e-4)
    assert said == []
    assert calibration.load(dataclasses.replace(CONTACT, version="9"), file, said.append) is None
    assert "was made with touch 0, not with touch 9" in said.pop()
    for broken in ("{", "[]", '{"format": 1}', json.dumps({**json.loads(file.read_text()), "shift": 1e9})):
        file.write_text(broken)
        assert calibration.load(CONTACT, file, said.append) is None
        assert "it is damaged" in said.pop()
        assert file.read_text() == broken
    assert calibration.remove(file)
    assert not calibration.remove(file)
    assert calibration.load(CONTACT, file, said.append) is None
    assert said == []


def test_times_of_a_video_are_understood_or_refused():
    assert parse_times("look 0-1.5, touch 2-3,front 4-5") == [("look", 0, 1.5), ("touch", 2, 3), ("front", 4, 5)]
    for wrong in ("touch 5-2, front 1-2", "dance 0-1", "touch", "touch a-b, front 1-2", "touch 0-1", ""):
        with pytest.raises(InputError):
            parse_times(wrong)


# ---- guided


def step(runner: PersonalRunner, time: float) -> Step:
    runner.run(BATCH)
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, time)
    nothing = Result("touch", 0, time, Detections.empty(("face",)), "0", 4, 4, "touch")
    return Step(frame, nothing, (), (), False, 0.0, time, None, 0)


class Varying(FakeRunner):
    """A model whose logit the test sets."""

    logit = 0.0

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        region = "chin" if self.logit > 0 else "mouth"
        return contact([self.logit], region).run(batch)


@pytest.fixture
def model() -> Varying:
    return Varying(CONTACT, {})


def test_a_page_leads_through_the_steps_and_the_alarm_is_quiet_meanwhile(model, tmp_path):
    now, quiet = [100.0], []
    runner = PersonalRunner(model)
    guide = Guide(runner, tmp_path / "c.json", quiet.append, lambda: now[0])
    for phase, logit in (("look", -2.0), ("touch", 0.3), ("front", -0.1)):
        model.logit = logit
        state = guide.step(phase)
        assert (state["phase"], state["calibrated"]) == (phase, False)
        assert state["asked"]
        for _ in range(30):
            guide(step(runner, now[0]))
            now[0] += 0.1
        assert guide.state()["frames"][phase] == pytest.approx(30 - SETTLE_S * 10, abs=1)
    assert quiet == [60.0] * 3
    state = guide.step("finish")
    assert quiet[-1] == 0.0
    assert state["calibrated"]
    assert state["frames"] == dict.fromkeys(("look", "touch", "front", "object"), 0)
    before = model.run(BATCH)["touch_logit"][0, 0]
    assert runner.run(BATCH)["touch_logit"][0, 0] != before
    assert not guide.step("remove")["calibrated"]
    assert runner.run(BATCH)["touch_logit"][0, 0] == before
    assert list(tmp_path.iterdir()) == []


def test_the_steps_before_a_recording_keep_nothing(model, tmp_path):
    runner = PersonalRunner(model)
    guide = Guide(runner, tmp_path / "c.json", clock=lambda: 0.0, keeps=False)
    assert guide.step("touch")["keeps"] is False
    assert not guide.step("finish")["calibrated"]
    assert runner.calibration is None
    assert list(tmp_path.iterdir()) == []


def test_a_calibration_that_fails_leaves_the_old_one(model, tmp_path):
    old = Calibration("touch", "0", 0.5)
    calibration.save(old, tmp_path / "c.json")
    guide = Guide(PersonalRunner(model, old), tmp_path / "c.json")
    guide.step("touch")
    with pytest.raises(InputError, match="only 0 pictures"):
        guide.step("finish")
    assert guide.calibrated
    assert calibration.load(CONTACT, tmp_path / "c.json") == old
    assert guide.step("cancel")["phase"] is None


def test_a_timetable_takes_each_phase_after_it_has_settled_and_ends(model):
    runner, phases, done = PersonalRunner(model), [], []
    table = Timetable(runner, [("touch", 1.0, 3.0), ("front", 4.0, 5.0)], 0.5, phases.append, lambda: done.append(1))
    for n in range(52):
        table(step(runner, n / 10))
    assert phases == ["touch", None, "front", None]
    assert table.samples.counts() == {"look": 0, "touch": 15, "front": 5, "object": 0}
    assert len(done) == 2  # once for each frame from the end on; the source then stops
