"""The settings file: what is wrong is said in one sentence, and no file of a person is ever lost."""

import threading
from pathlib import Path

import pytest

from handlens.errors import InputError, OutputError
from handlens.live.folders import config_dir, data_dir
from handlens.live.settings import NAMES, Settings, SettingsFile


@pytest.fixture
def file(tmp_path: Path) -> tuple[SettingsFile, list[str]]:
    said: list[str] = []
    return SettingsFile(tmp_path / "deep" / "settings.toml", said.append), said


def test_without_a_file_the_defaults_count_and_none_is_written(file):
    settings, said = file
    assert settings.load() == Settings()
    assert not settings.path.parent.exists()
    assert said == []


def test_a_change_is_kept_and_read_again(file):
    settings, said = file
    settings.change(open=0.7, regions=["chin", "mouth"], voice='Say "no" \\ é 😀', **{"min-time": 1})
    again = SettingsFile(settings.path).load()
    assert (again.open, again.min_time, again.voice) == (0.7, 1.0, 'Say "no" \\ é 😀')
    assert again.regions == ("mouth", "chin")  # in the order of the model
    assert again == Settings(open=0.7, min_time=1.0, voice='Say "no" \\ é 😀', regions=("chin", "mouth"))
    assert [path.name for path in settings.path.parent.iterdir()] == ["settings.toml"]
    assert said == []


def test_every_setting_survives_the_file():
    values = {
        "source": "rtsp://camera/1", "model": "mine.onnx", "open": 0.6, "close": 0.2, "min_time": 0.5, "gap": 1.0,
        "cooldown": 9.0, "reconnect": 0.0, "every": 2, "rotate": 90, "mirror": True, "threads": 1, "min_score": 0.4,
        "regions": ("eye",), "voice": "Hands", "sound": "beep", "volume": 0.25, "notify": True, "glow": False,
        "no_sound": True,
        "no_page": True, "early": True, "low_power": True, "no_history": True, "keep_days": 0, "keep_wrong": True,
    }  # fmt: skip
    assert tuple(values) == NAMES
    usual = Settings()
    assert [name for name in NAMES if getattr(usual, name) == values[name]] == []  # so that each is really tested
    import tomllib

    told = tomllib.loads(Settings(**values).to_toml())
    assert told.pop("version") == 1
    assert Settings(**told) == Settings(**values)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"open": 2}, "'open' needs a number from 0 to 1, got 2"),
        ({"open": float("nan")}, "'open' needs a number from 0 to 1"),
        ({"open": True}, "'open' needs a number from 0 to 1, got true"),
        ({"opne": 0.5}, "did you mean 'open'"),
        ({"close": 0.9}, "'close' must be at most 'open'"),
        ({"rotate": 45}, "'rotate' needs 0, 90, 180 or 270, got 45"),
        ({"regions": ["chin", "knee"]}, "'regions' needs a list of some of forehead"),
        ({"regions": "chin"}, "'regions' needs a list"),
        ({"regions": 3}, "'regions' needs a list"),
        ({"voice": "a\nb"}, "'voice' needs a text"),
        ({"voice": "\ud800"}, "'voice' needs a text"),
        ({"every": 1.5}, "'every' needs a whole number"),
        ({"sound": "siren"}, "'sound' needs one of voice, beep, off"),
        ({"mirror": 1}, "'mirror' needs true or false"),
    ],
)
def test_a_wrong_value_is_refused_and_the_file_stays(file, change, sentence):
    settings, _ = file
    settings.change(cooldown=7)
    before = settings.path.read_bytes()
    with pytest.raises(InputError) as refused:
        settings.change(**change)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert settings.path.read_bytes() == before


def test_a_broken_file_is_said_once_and_kept_when_a_new_one_is_written(file):
    settings, said = file
    settings.path.parent.mkdir()
    settings.path.write_text("cooldown = 7\nthis is not TOML\n")
    assert settings.load() == Settings()
    assert len(said) == 1
    assert "the defaults are used" in said[0]
    settings.change(volume=0.5)
    kept = settings.path.with_name("settings.toml.kept")
    assert kept.read_text() == "cooldown = 7\nthis is not TOML\n"
    assert str(kept) in said[-1]
    settings.path.write_text("[[")
    settings.change(volume=0.6)
    assert settings.path.with_name("settings.toml.kept-2").read_text() == "[["
    assert kept.read_text().startswith("cooldown")


def test_of_a_newer_file_and_of_one_with_mistakes_what_is_understood_is_used(file):
    settings, said = file
    settings.path.parent.mkdir()
    settings.path.write_text('version = 9\ncooldown = 7\ntelepathy = "on"\n')
    assert settings.load() == Settings(cooldown=7.0)
    assert "newer handlens" in said.pop()
    settings.path.write_text("cooldown = 7\nvolume = 4\nopne = 1\nclose = 0.8\n")
    assert settings.load() == Settings(cooldown=7.0)
    assert "'volume' needs a number from 0 to 1, got 4 and 2 more" in said.pop()
    settings.change(gap=1)
    assert "opne" in settings.path.with_name("settings.toml.kept").read_text()


def test_bytes_that_are_no_text_and_a_folder_in_its_place_are_no_traceback(file):
    settings, said = file
    settings.path.parent.mkdir()
    settings.path.write_bytes(b"\xff\xfe\x00")
    assert settings.load() == Settings()
    settings.path.unlink()
    settings.path.mkdir()
    assert settings.load() == Settings()
    assert len(said) == 2
    settings.change(gap=2)
    assert SettingsFile(settings.path).load().gap == 2.0


def test_threads_that_change_different_names_lose_nothing(file):
    settings, _ = file
    settings.change(gap=1)
    changes = [{"open": 0.9}, {"volume": 0.1}, {"cooldown": 3}, {"early": True}, {"keep_days": 5}]
    threads = [threading.Thread(target=settings.change, kwargs=change) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = Settings(gap=1.0, open=0.9, volume=0.1, cooldown=3.0, early=True, keep_days=5)
    assert settings.load() == wanted


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file: give a folder"):
        SettingsFile(tmp_path / "file" / "settings.toml").change(gap=1)


def test_reset_keeps_the_old_file(file):
    settings, _ = file
    settings.change(gap=3)
    assert settings.reset() == settings.load() == Settings()
    assert "gap = 3.0" in settings.path.with_name("settings.toml.old").read_text()


def test_the_folders_are_those_of_the_platform_or_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HANDLENS_CONFIG", str(tmp_path / "c"))
    assert config_dir() == tmp_path / "c"
    monkeypatch.delenv("HANDLENS_CONFIG")
    monkeypatch.delenv("HANDLENS_DATA")
    import platformdirs

    assert config_dir() == Path(platformdirs.user_config_dir("handlens", appauthor=False))
    assert data_dir() == Path(platformdirs.user_data_dir("handlens", appauthor=False))


def test_the_page_of_the_documents_lists_every_setting_with_its_default():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "watch-settings.md").read_text("utf-8")
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| `")]
    told = {name.strip(" `"): default.strip() for name, default, _ in rows}
    assert tuple(told) == NAMES
    for name, value in Settings().to_dict().items():
        if isinstance(value, bool):
            assert told[name] == str(value).lower()
        elif isinstance(value, int | float):
            assert float(told[name]) == value
        elif isinstance(value, str):
            assert told[name] == f'"{value}"'
