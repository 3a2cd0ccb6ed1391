"""Segments on a Ray cluster: a node is killed in the middle, and nothing is lost and nothing is done twice."""

import importlib.util
import os

import pytest
from study_fakes import study
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

from handlens.cli import run
from handlens.study.config import MACHINE, load
from handlens.study.database import Database
from handlens.study.run import run_study

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def cluster():
    """A head and two workers of one core each, as processes of this machine."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    workers = [made.add_node(num_cpus=1) for _ in range(2)]
    made.wait_for_nodes()
    yield made, workers
    ray.shutdown()
    made.shutdown()


def config_of(tmp_path, folder):
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "clip.mp4", ([DARK] * 20 + [BRIGHT] * 15) * 30)
    config = study(tmp_path / folder, [tmp_path / "clip.mp4"], segment_s="1")
    path = config.folder / "study.toml"
    path.write_text(path.read_text().replace('name = "touch"', f'name = "{tmp_path / "light.onnx"}"'))
    return load(config.folder)


def test_a_node_is_killed_and_the_result_is_that_of_one_process(tmp_path, cluster):
    from handlens.study.cluster import on_ray

    made, workers = cluster
    killed = []

    def progress(step):
        if step.done == 4 and not killed:
            killed.append(workers[0])
            made.remove_node(workers[0], allow_graceful=False)

    config = config_of(tmp_path, "ray")
    report = run_study(config, executor=on_ray(made.address), progress=progress)
    assert killed
    assert (report.segments, report.joined, report.problems) == (70, 1, [])
    alone = config_of(tmp_path, "alone")
    run_study(alone)
    told = []
    for each in (config, alone):
        with Database(each.database) as base:
            assert base.rows("SELECT count(*), count(DISTINCT frame) FROM frames") == [(1050, 1050)]
            told.append([(e.start, e.stop, e.subject, e.peak) for e in base.events(1, MACHINE, 1)])
    assert told[0] == told[1]
    assert len(told[0]) == 30


def test_no_cluster_is_one_sentence(tmp_path, capsys):
    config = config_of(tmp_path, "s")
    if importlib.util.find_spec("ray") is None:
        assert run(["study", "run", str(config.folder), "--ray", "auto"]) == 2
        assert "pip install 'handlens[cluster]'" in capsys.readouterr().err
        return
    assert run(["study", "run", str(config.folder), "--ray", "127.0.0.1:1"]) == 2
    assert "no Ray cluster answers at '127.0.0.1:1'" in capsys.readouterr().err
