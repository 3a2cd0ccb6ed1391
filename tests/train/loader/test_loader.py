"""Training batches: the same for any number of workers, pictures as inference has them, errors in a sentence."""

import dataclasses
import pickle
from itertools import chain

import numpy as np
import pytest
from media import save_picture
from training_sets import break_picture, card, classify_set, detect_set, noise, segment_set

torch = pytest.importorskip("torch")

from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import InputError
from handlens.preprocess import PAD, resize
from handlens.train.augment.config import PRESETS, AugmentConfig, find_preset
from handlens.train.loader.loader import Batches, Samples, collate
from handlens.train.loader.pictures import Reading

EVERYTHING = dataclasses.replace(PRESETS["webcam"], mosaic=0.5, mixup=0.3, perspective=0.05, light=0.5, upside=0.2)


def same(first, second):
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key]), key


def keys_of(batches, epoch):
    batches.sampler.set_epoch(epoch)
    return batches.sampler


def pixels(sample):
    return sample["image"].numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("rule", ["letterbox", "stretch", "fit"])
@pytest.mark.parametrize("cache", [False, True])
def test_an_unchanged_sample_is_what_inference_sees(tmp_path, rule, cache):
    found = detect_set(tmp_path)
    samples = Samples(found, card(rule=rule), AugmentConfig(), cache=cache)
    for number, picture in enumerate(found):
        sample, (seen, geometry) = samples[(3, number)], resize(picture.image(), card(rule=rule))
        assert np.array_equal(pixels(sample), seen)
        assert np.allclose(sample["boxes"][:, 1:], geometry.to_network(picture.boxes), atol=1e-3)
        assert sample["boxes"][:, 0].tolist() == picture.labels.tolist()


def test_a_large_jpeg_that_is_not_changed_is_decoded_whole(tmp_path):
    path = save_picture(tmp_path / "large.jpg", noise(900, 1200))
    found = LabelledSet("detect", ("a",), (Labelled(path),))
    sample = Samples(found, card(64), AugmentConfig(hue=0.0, flip=0.0))[(0, 0)]
    assert np.array_equal(pixels(sample), resize(found.pictures[0].image(), card(64))[0])


def test_a_mirrored_sample_is_the_mirrored_picture(tmp_path):
    found = detect_set(tmp_path)
    samples = Samples(found, card(rule="fit"), AugmentConfig(flip=0.5))
    mirrored = 0
    for number, picture in enumerate(found):
        seen, geometry = resize(picture.image(), card(rule="fit"))
        wide = round(geometry.width * geometry.scale_x)
        other = seen.copy()
        other[:, :wide] = seen[:, :wide][:, ::-1]  # the grey at the right stays where inference has it
        got = pixels(samples[(0, number)])
        assert np.array_equal(got, seen) != np.array_equal(got, other)
        mirrored += np.array_equal(got, other)
    assert 0 < mirrored < len(found)


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(tmp_path):
    found = detect_set(tmp_path, 10)
    samples = Samples(found, card(), EVERYTHING, seed=5)
    alone, helped = Batches(samples, 3), Batches(samples, 3, workers=2)
    for epoch in range(3):
        for one, other in zip(alone.epoch(epoch), helped.epoch(epoch), strict=True):
            same(one, other)


def test_a_run_that_goes_on_at_an_epoch_sees_the_same_pictures(tmp_path):
    found = detect_set(tmp_path)
    whole = Batches(Samples(found, card(), EVERYTHING, seed=1), 4, workers=1)
    first, second = (list(whole.epoch(epoch)) for epoch in (0, 1))
    resumed = Batches(Samples(found, card(), EVERYTHING, seed=1), 4)
    for one, other in zip(second, resumed.epoch(1), strict=True):
        same(one, other)
    assert not torch.equal(first[0]["image"], second[0]["image"])
    elsewhere = next(iter(Batches(Samples(found, card(), EVERYTHING, seed=2), 4).epoch(0)))
    assert not torch.equal(first[0]["image"], elsewhere["image"])


def test_an_epoch_that_is_left_early_does_not_disturb_the_next(tmp_path):
    samples = Samples(detect_set(tmp_path), card(), EVERYTHING)
    batches = Batches(samples, 2, workers=1)
    next(iter(batches.epoch(0)))
    for one, other in zip(batches.epoch(1), Batches(samples, 2).epoch(1), strict=True):
        same(one, other)


def test_every_picture_comes_once_and_measuring_keeps_the_order(tmp_path):
    found = classify_set(tmp_path, [np.full((8, 8, 3), 10 * n, np.uint8) for n in range(10)])
    samples = Samples(found, card(8, kind="classify"), AugmentConfig())

    def levels(batches, epoch=0):
        return [[int(v) // 10 for v in batch["image"][:, 0, 0, 0]] for batch in batches.epoch(epoch)]

    assert levels(Batches(samples, 4, shuffle=False)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    shuffled = Batches(samples, 5)
    assert sorted(chain(*levels(shuffled))) == list(range(10))
    assert levels(shuffled) != levels(shuffled, 1)
    assert len(Batches(samples, 4)) == 2  # the last, smaller batch is left out
    assert len(Batches(samples, 16)) == 1  # unless there is no other
    long = list(chain(*levels(Batches(samples, 5, epoch_size=25))))
    assert len(long) == 25
    assert min(long.count(n) for n in range(10)) == 2


def test_people_with_many_pictures_weigh_less(tmp_path):
    found = detect_set(tmp_path, 26)  # one picture of the first person, 25 of the second
    samples = Samples(found, card(8), AugmentConfig(), balance=True)
    indices = [index for _, index in Batches(samples, 1, epoch_size=600).sampler]
    share = sum(index % 26 == 0 for index in indices) / 600
    assert share == pytest.approx(1 / (1 + 5), abs=0.05)
    assert len(set(indices)) == 600  # a picture that comes again is changed in another way
    drawn = [index for epoch in range(20) for _, index in keys_of(Batches(samples, 1), epoch)]
    assert sum(index % 26 == 0 for index in drawn) / len(drawn) == pytest.approx(1 / 6, abs=0.05)
    rng, reading = np.random.default_rng(0), Reading(samples.pictures, samples.odds)
    assert np.mean([reading.another(rng) == 0 for _ in range(600)]) == pytest.approx(1 / 6, abs=0.05)


def test_pictures_of_several_sizes_and_without_boxes_make_one_batch():
    small = {"image": torch.zeros(3, 32, 64, dtype=torch.uint8), "boxes": torch.zeros(0, 5)}
    tall = {"image": torch.ones(3, 64, 32, dtype=torch.uint8), "boxes": torch.tensor([[1.0, 2, 3, 4, 5]])}
    batch = collate([small, tall])
    assert batch["image"].shape == (2, 3, 64, 64)
    assert batch["image"].dtype == torch.uint8
    assert batch["image"][0, 0, 31, 63] == 0
    assert (batch["image"][0, :, 32:] == PAD).all()
    assert (batch["image"][1, :, :, 32:] == PAD).all()
    assert batch["boxes"].tolist() == [[1, 1, 2, 3, 4, 5]]
    assert collate([small, small])["boxes"].shape == (0, 6)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_picture_is_told_once_and_another_is_taken(tmp_path, workers):
    found = detect_set(tmp_path)
    path, told = break_picture(found, 3), []
    samples = Samples(found, card(), EVERYTHING)
    batches = Batches(samples, 4, workers=workers, on_skip=told.append)
    for epoch in range(2):
        got = list(batches.epoch(epoch))
        assert [len(batch["image"]) for batch in got] == [4, 4]
        assert all(batch.keys() == {"image", "boxes"} for batch in got)
    assert len(told) == 1
    assert str(path) in told[0]
    fresh = Batches(Samples(found, card(), EVERYTHING), 4, on_skip=told.append)  # not knowing what is broken
    for one, other in zip(got, fresh.epoch(1), strict=True):
        same(one, other)


def test_a_broken_picture_is_a_line_on_stderr(tmp_path, capsys):
    found = detect_set(tmp_path)
    path = break_picture(found, 0)
    list(Batches(Samples(found, card(), AugmentConfig(), cache=True), 4).epoch(0))
    assert [str(path) in line for line in capsys.readouterr().err.splitlines()] == [True]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_set_that_cannot_be_read_is_one_sentence(tmp_path, workers):
    found = detect_set(tmp_path, 4)
    for number in range(4):
        break_picture(found, number)
    with pytest.raises(InputError, match=r"too many pictures cannot be read, such as: '.*\.png' is"):
        list(Batches(Samples(found, card(), AugmentConfig()), 2, workers=workers).epoch(0))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (
            np.zeros((9, 8), np.uint8),
            r"^the mask of '.*0\.png' is 8 x 9, but the picture is 8 x 8: they must be equal\.$",
        ),
        (np.full((8, 8), 7, np.uint8), r"^the mask of '.*0\.png' has the value 7, .* allow 0 to 1, and 255"),
    ],
)
def test_a_wrong_mask_comes_out_of_a_worker_as_itself(tmp_path, workers, mask, sentence):
    found = segment_set(tmp_path, [noise(8, 8)], [mask])
    with pytest.raises(InputError, match=sentence):
        list(Batches(Samples(found, card(8, kind="segment"), AugmentConfig()), 1, workers=workers).epoch(0))


def test_wrong_sets_are_refused_before_training(tmp_path):
    found = detect_set(tmp_path)
    with pytest.raises(InputError, match="no pictures to train on"):
        Samples(found.having([]), card(), AugmentConfig())
    wrong = Labelled(tmp_path / "x.png", boxes=np.array([[0, 0, 5, 5]], np.float32), labels=np.array([2]))
    with pytest.raises(InputError, match=r"x\.png' has the class 2, but the names even, odd allow 0 to 1"):
        Samples(found.having([wrong]), card(), AugmentConfig())
    with pytest.raises(InputError, match="the seed must be 0 or more"):
        Samples(found, card(), AugmentConfig(), seed=-1)
    folders = classify_set(tmp_path, [noise(8, 8)])
    with pytest.raises(InputError, match="mosaic and mixup are for detectors"):
        Samples(folders, card(kind="classify"), AugmentConfig(mosaic=0.5))
    with pytest.raises(InputError, match="has 0 labels; a classifier needs exactly one"):
        Samples(folders.having([Labelled(tmp_path / "x.png")]), card(kind="classify"), AugmentConfig())


def test_what_does_not_fit_in_memory_is_not_kept(tmp_path, capsys, monkeypatch):
    found = detect_set(tmp_path)
    samples = Samples(found, card(), AugmentConfig())
    assert not samples.pictures.keep(limit=8 * 64 * 64 * 3 - 1)
    assert samples.pictures.keep(limit=8 * 64 * 64 * 3)
    for picture in found:
        picture.path.unlink()
    assert samples[(0, 7)]["image"].shape == (3, 64, 64)


def test_samples_can_be_sent_to_a_process_that_is_not_forked(tmp_path):
    samples = Samples(detect_set(tmp_path), card(), EVERYTHING, balance=True)
    same(samples[(1, 2)], pickle.loads(pickle.dumps(samples))[(1, 2)])


def test_presets_have_names_and_limits():
    assert find_preset("mosaic").mosaic == 1.0
    with pytest.raises(InputError, match="unknown preset 'mosiac': did you mean 'mosaic'"):
        find_preset("mosiac")
    with pytest.raises(InputError, match=r"augment\.flip must lie between 0 and 1, got 1\.5"):
        AugmentConfig(flip=1.5)
    with pytest.raises(InputError, match=r"unknown augment\.fill 'gray': did you mean 'grey'"):
        AugmentConfig(fill="gray")
    closing = AugmentConfig(mosaic=1.0, mixup=0.2, flip=0.5, closing=0.25)
    assert [closing.at(epoch, 8).mosaic for epoch in range(8)] == [1.0] * 6 + [0.0] * 2
    assert closing.at(7, 8) == AugmentConfig(flip=0.5, closing=0.25)
    assert closing.at(7, None) == closing
