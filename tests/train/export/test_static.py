"""Files with fixed sides answer as the net does, one picture at a time, and OpenCV's own reader takes them."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.runner import OnnxRunner
from handlens.train.config import Settings
from handlens.train.experiment import new_experiment
from handlens.train.run import export_experiment

NETS = {
    "yolov3-tiny": ("touch", ("touch",)),
    "yolov5n": ("touch", ("cheek", "chin")),
    "snet": ("segment", ("background", "hand")),
    "unet": ("segment", ("background", "hand")),
    "segment-net": ("segment", ("background", "hand", "face")),
    "nano": ("touch", ("face", "hand")),
    "mobileface": ("hold", ("nothing", "object")),
}


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_opencv_answers_as_onnxruntime(tmp_path: Path, net: str) -> None:
    task, names = NETS[net]
    torch.manual_seed(0)
    side = 112 if net == "mobileface" else 64
    experiment = new_experiment(Settings(task=task, net=net, size=side, data="made"), names)
    experiment = dataclasses.replace(experiment, net=experiment.net.eval())
    path = export_experiment(experiment, tmp_path / "fixed.onnx", static=True)
    runner = OnnxRunner(path)
    assert runner.card.resize != "fit"
    batch = np.random.default_rng(0).random((2, 3, *runner.card.size), np.float32)
    answers = runner.run(batch)
    assert {len(array) for array in answers.values()} == {2}, "a batch is answered picture by picture"
    # The new engine of OpenCV 5 cannot add maps of one place to larger ones, which the segment net does.
    engine = [cv2.dnn.ENGINE_CLASSIC] if net == "segment-net" and hasattr(cv2.dnn, "ENGINE_CLASSIC") else []
    reader = cv2.dnn.readNetFromONNX(str(path), *engine)
    reader.setInput(batch[1:])
    names_out = list(runner.outputs)
    for name, array in zip(names_out, reader.forward(names_out), strict=True):
        scale = max(1.0, float(np.abs(answers[name]).max()))
        np.testing.assert_allclose(array.reshape(answers[name][1:].shape) / scale, answers[name][1:] / scale, atol=1e-3)
