"""Settings of a training: a flag wins over the file, the file over the recipe, and an unknown key is an error."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from handlens.errors import InputError
from handlens.train.augment.config import find_preset
from handlens.train.config import Settings, merged, parse_set, read_toml
from handlens.train.defaults import check_task, defaults_of
from handlens.train.nets import catalog


def test_keys_find_their_place() -> None:
    settings = Settings().changed({"net": "yolov5s", "epochs": 7, "look": {"flip": 0.5}})
    assert (settings.net, settings.plan.epochs, settings.look.flip) == ("yolov5s", 7, 0.5)


def test_a_look_is_named_or_changed() -> None:
    named = Settings().changed({"look": "mosaic"})
    assert named.look.mosaic == 1.0
    assert named.changed({"look": {"mosaic": 0.25}}).look.scale == named.look.scale


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epoch_count": 5}, "unknown setting 'epoch_count'"),
        ({"lok": 1}, "did you mean 'look'|unknown setting 'lok'"),
        ({"look": {"mosiac": 1.0}}, "did you mean 'mosaic'"),
        ({"look": "mosiac"}, "did you mean 'mosaic'"),
        ({"epochs": "many"}, "'epochs' needs a value of type int, got 'many'"),
        ({"epochs": True}, "'epochs' needs"),
        ({"rate": -1.0}, "rate must be above 0"),
        ({"plan": {}}, "unknown setting 'plan'"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Settings().changed(given)


def test_a_config_file_says_exactly_the_settings(tmp_path: Path) -> None:
    settings = Settings().changed({"task": "touch", "data": 'a "b" \\ c', "minutes": 3.5, "look": "webcam"})
    settings.save(tmp_path / "config.toml")
    assert Settings().changed(read_toml(tmp_path / "config.toml")) == settings


def test_a_broken_config_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("epochs = = 5")
    with pytest.raises(InputError, match="is no TOML"):
        read_toml(tmp_path / "c.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("look.mosaic=0.5", {"look": {"mosaic": 0.5}}),
        ("epochs = 3", {"epochs": 3}),
        ("optimiser=sgd", {"optimiser": "sgd"}),
        ("milestones=[0.5, 0.8]", {"milestones": [0.5, 0.8]}),
    ],
)
def test_set_reads_what_toml_would(text: str, means: dict[str, object]) -> None:
    assert parse_set(text) == means


def test_single_numbers_change_the_look_that_was_named() -> None:
    given = merged({}, {"epochs": 3})
    for text in ("look=few", "look.zoom=2", "look.flip=0"):
        given = merged(given, parse_set(text))
    look = Settings().changed(given).look
    assert (look.zoom, look.flip, look.erase) == (2.0, 0.0, find_preset("few").erase)
    assert merged(given, parse_set("look=plain"))["look"] == "plain"
    with pytest.raises(InputError, match="unknown look 'feww'"):
        merged({"look": "feww"}, parse_set("look.zoom=2"))


@pytest.mark.parametrize("text", ["epochs", "=3", ""])
def test_set_needs_key_and_value(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        parse_set(text)


@pytest.mark.parametrize("name", catalog.names())
def test_every_network_has_a_recipe_that_is_legal(name: str) -> None:
    settings = Settings(net=name).changed(defaults_of(name).settings)
    assert settings.plan.rate > 0
    tasks = {"detect": "touch", "classify": "gesture", "segment": "segment"}
    assert check_task(tasks[defaults_of(name).kind], name) == defaults_of(name).kind


def test_a_network_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="does not answer 'touch'"):
        check_task("touch", "mobileface")
    with pytest.raises(InputError, match="unknown task to train 'tuch': did you mean 'touch'"):
        check_task("tuch", "yolov3")
