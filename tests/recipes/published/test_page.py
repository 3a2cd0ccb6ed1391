"""The page of the five systems has the numbers of the tables, and says so where a place has none."""

import csv
import json
import re

import pytest

from handlens.errors import InputError

pytest.importorskip("lightning")

from recipes.published import keep, page

ROW = {"measured on": "held out", "name": "accuracy", "value": 0.98709, "low": 0.97504, "high": 0.99789, "n": 2401}
RUN = {"run": "digits6-random", "epochs": 22, "best epoch": 20, "hours": 1.0842, "seed": 0, "rows": [ROW]}
SHIPPED = {"model": "hold", "set": "generated", "part": "test", "name": "accuracy", "value": 13 / 18, "low": 0.5,
           "high": 0.5, "n": 18, "Wilson low": 0.4913, "Wilson high": 0.875}  # fmt: skip


def filled(place: str) -> str:
    return page.filled(place, {"digits6-random": RUN}, [SHIPPED])


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("{{digits6-random; held out; accuracy}}", ".987 [.975 .998] of 2,401"),
        ("a {{digits6-random; held out; accuracy; value}} b", "a .987 b"),
        ("{{digits6-random; held out; accuracy; interval}}", ".987 [.975 .998]"),
        ("{{digits6-random; epochs}}", "22 of 100"),
        ("{{digits6-random; hours}}, {{digits6-random; best epoch}}", "1.1, 20"),
        ("{{digits6-random; epochs left}}", "78"),
        ("{{shipped hold; generated test; accuracy}}", ".722 [.491 .875] of 18"),
    ],
)
def test_a_place_becomes_a_number(place, told):
    assert filled(place) == told


@pytest.mark.parametrize(
    "place",
    ["{{digits6-blocks; epochs}}", "{{digits6-random; colour}}", "{{digits6-random; held out; F1}}",
     "{{shipped hold; generated val; accuracy}}", "{{digits6-random}}"],
)  # fmt: skip
def test_a_place_without_a_number_is_named(place):
    with pytest.raises(InputError, match=r"digits6|hold"):
        filled(place)


def test_all_digits_of_one_and_of_zero():
    assert [page.short(value) for value in (1.0, 0.9996, 0.9994, 0.0, 0.05)] == ["1.0", "1.0", ".999", ".000", ".050"]


def test_the_page_and_both_tables_have_the_same_numbers():
    assert page.main(["--check"]) == 0
    runs = json.loads((page.RESULTS / "table.json").read_text("utf-8"))
    with (page.RESULTS / "table.csv").open(newline="") as file:
        kept = [(row["run"], row["set"], row["part"], row["name"], float(row["value"])) for row in csv.DictReader(file)]
    assert kept == [
        (run["run"], row["set"], row["part"], row["name"], row["value"]) for run in runs for row in run["rows"]
    ]


def test_a_page_that_differs_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page, "PAGE", tmp_path / "five-systems.md")
    page.main([])
    assert page.main(["--check"]) == 0
    page.PAGE.write_text(page.PAGE.read_text("utf-8").replace(".992", ".999"), "utf-8")
    assert page.main(["--check"]) == 1
    assert "differs" in capsys.readouterr().out


def test_what_is_kept_names_no_folder_of_a_machine():
    absolute = re.compile(rb"/(?:home|work|root|tmp|Users|mnt)/\w+")
    for path in [
        *(page.HERE / "checkpoints").glob("*.ckpt"),
        *page.RESULTS.glob("*/*.toml"),
        *page.RESULTS.glob("*/*.csv"),
    ]:
        assert not absolute.search(path.read_bytes()), path


def test_paths_of_a_machine_become_those_of_a_run():
    before = {
        "callbacks": {"Best": {"dirpath": "/x/runs", "best_k_models": {"/x/runs/a/best.ckpt": 1.0}}},
        "n": (1, "b"),
    }
    after = {
        "callbacks": {"Best": {"dirpath": "runs/published", "best_k_models": {"runs/published/a/best.ckpt": 1.0}}},
        "n": (1, "b"),
    }
    assert keep.moved(before, "/x/runs") == after
