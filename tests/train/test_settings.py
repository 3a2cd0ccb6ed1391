"""Settings of a training: a flag wins over the file, the file over the recipe, and an unknown key is an error."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch")

from handlens.cli.app import run
from handlens.cli.train import SETTINGS
from handlens.errors import InputError
from handlens.train.augment.config import AugmentConfig, find_preset
from handlens.train.config import Plan, Settings, describe, help_of, merged, parse_set, read_toml
from handlens.train.defaults import check_task, defaults_of
from handlens.train.nets import catalog


def test_keys_find_their_place() -> None:
    settings = Settings().changed({"net": "yolov5s", "epochs": 7, "augment": {"flip": 0.5}})
    assert (settings.net, settings.plan.epochs, settings.augment.flip) == ("yolov5s", 7, 0.5)


def test_a_preset_is_named_or_changed() -> None:
    named = Settings().changed({"augment": "mosaic"})
    assert named.augment.mosaic == 1.0
    assert named.changed({"augment": {"mosaic": 0.25}}).augment.scale == named.augment.scale


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epoch_count": 5}, "unknown setting 'epoch_count'"),
        ({"augmnet": {}}, "did you mean 'augment'"),
        ({"augment": {"mosiac": 1.0}}, "did you mean 'mosaic'"),
        ({"augment": "mosiac"}, "did you mean 'mosaic'"),
        ({"epochs": "many"}, "'epochs' needs a value of type int, got 'many'"),
        ({"epochs": True}, "'epochs' needs"),
        ({"rate": -1.0}, "rate must be above 0"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"minutes": 0}, "minutes must be above 0"),
        ({"optimiser": "sdg"}, "unknown optimiser 'sdg': did you mean 'sgd'"),
        ({"milestones": [0.5, "x"]}, "'milestones' needs a value of type list of numbers"),
        ({"minutes": "x"}, "'minutes' needs a value of type float or none"),
        ({"augment": {"flip": 2}}, "augment.flip must lie between 0 and 1, got 2.0"),
        ({"augment": {"fill": "gray"}}, "unknown augment.fill 'gray': did you mean 'grey'"),
        ({"augment": 3}, "'augment' needs the name of a preset or a table"),
        ({"look": "plain", "augment": "few"}, "'look' is the old name of 'augment'"),
        ({"plan": {}}, "unknown setting 'plan'"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Settings().changed(given)


def test_a_config_file_says_exactly_the_settings(tmp_path: Path) -> None:
    settings = Settings().changed({"task": "touch", "data": 'a "b" \\ c', "minutes": 3.5, "augment": "webcam"})
    settings.save(tmp_path / "config.toml")
    assert Settings().changed(read_toml(tmp_path / "config.toml")) == settings


def test_runs_that_call_augment_look_are_read_as_before(tmp_path: Path) -> None:
    settings = Settings().changed({"task": "touch", "data": "x", "augment": {"flip": 0.25}})
    (tmp_path / "config.toml").write_text(settings.to_toml().replace("[augment]", "[look]"))
    assert Settings().changed(read_toml(tmp_path / "config.toml")) == settings
    assert Settings().changed({"look": "few"}) == Settings().changed({"augment": "few"})
    given = merged(merged({}, parse_set("look=few")), parse_set("augment.zoom=2"))
    assert Settings().changed(given).augment.zoom == 2.0


def test_every_setting_says_what_it_means() -> None:
    told = {table: [row.key for row in rows] for table, rows in describe().items()}
    assert set(told["settings"]) == {field.name for field in dataclasses.fields(Settings)} - {"task", "plan", "augment"}
    assert told["plan"] == [field.name for field in dataclasses.fields(Plan)]
    assert told["augment"] == [field.name for field in dataclasses.fields(AugmentConfig)]
    for rows in describe().values():
        assert all(row.meaning.endswith(".") and row.type for row in rows)
    assert describe()["plan"][1] == (
        "minutes",
        "float or none",
        "none",
        "End after so many minutes, with the learning rate brought down by then.",
    )


def test_the_help_of_a_flag_is_what_its_setting_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for key in SETTINGS:
        assert help_of(key) in said, key


def test_a_broken_config_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("epochs = = 5")
    with pytest.raises(InputError, match="is no TOML"):
        read_toml(tmp_path / "c.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_toml(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("augment.mosaic=0.5", {"augment": {"mosaic": 0.5}}),
        ("epochs = 3", {"epochs": 3}),
        ("optimiser=sgd", {"optimiser": "sgd"}),
        ("milestones=[0.5, 0.8]", {"milestones": [0.5, 0.8]}),
    ],
)
def test_set_reads_what_toml_would(text: str, means: dict[str, object]) -> None:
    assert parse_set(text) == means


def test_single_numbers_change_the_preset_that_was_named() -> None:
    given = merged({}, {"epochs": 3})
    for text in ("augment=few", "augment.zoom=2", "augment.flip=0"):
        given = merged(given, parse_set(text))
    augment = Settings().changed(given).augment
    assert (augment.zoom, augment.flip, augment.erase) == (2.0, 0.0, find_preset("few").erase)
    assert merged(given, parse_set("augment=plain"))["augment"] == "plain"
    with pytest.raises(InputError, match="unknown preset 'feww'"):
        merged({"augment": "feww"}, parse_set("augment.zoom=2"))


@pytest.mark.parametrize("text", ["epochs", "=3", ""])
def test_set_needs_key_and_value(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        parse_set(text)


@pytest.mark.parametrize("name", catalog.names())
def test_every_network_has_a_recipe_that_is_legal(name: str) -> None:
    settings = Settings(net=name).changed(defaults_of(name).settings)
    assert settings.plan.rate > 0
    tasks = {"detect": "touch", "classify": "gesture", "segment": "segment", "contact": "touch"}
    assert check_task(tasks[defaults_of(name).kind], name) == defaults_of(name).kind


def test_a_network_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="does not answer 'touch'"):
        check_task("touch", "mobileface")
    with pytest.raises(InputError, match="unknown task to train 'tuch': did you mean 'touch'"):
        check_task("tuch", "yolov3")
