"""The caches of recipes: what they wrote comes back, and a file of anything else runs nothing."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from handlens.boxes import iou
from handlens.types import Hand, Label
from recipes.shared.own_pickle import read_own, write_own


def test_what_a_recipe_keeps_comes_back(tmp_path: Path) -> None:
    hand = Hand(np.zeros(4, np.float32), Label("a", 0.5, {"a": 0.5}))
    kept = [hand, {"a": np.arange(3)}, Path("b"), np.float32(2), (None, True, "c", {1, 2})]
    write_own(kept, tmp_path / "new" / "cache.pickle")
    back = read_own(tmp_path / "new" / "cache.pickle")
    assert [type(value) for value in back] == [type(value) for value in kept]
    assert back[1]["a"].tolist() == [0, 1, 2]
    assert back[2:] == kept[2:]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["cache.pickle"]


class Evil:
    def __init__(self, call: object, *given: object) -> None:
        self.call, self.given = call, given

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call, self.given


@pytest.mark.parametrize("call", [eval, Path.touch, iou, __import__])
def test_nothing_else_is_run(tmp_path: Path, call: object) -> None:
    (tmp_path / "bad.pickle").write_bytes(pickle.dumps([Evil(call, "1 + 1")]))
    with pytest.raises(pickle.UnpicklingError, match="does not hold"):
        read_own(tmp_path / "bad.pickle")


def test_no_name_is_reached_through_a_module_of_ours(tmp_path: Path) -> None:
    # handlens.io.atomic imports os: "handlens.io.atomic" and the dotted name "os.system" would find it
    text = b"\x80\x04\x8c\x12handlens.io.atomic\x8c\x09os.system\x93\x8c\x04true\x85R."
    (tmp_path / "bad.pickle").write_bytes(text)
    with pytest.raises(pickle.UnpicklingError, match=r"os\.system"):
        read_own(tmp_path / "bad.pickle")
