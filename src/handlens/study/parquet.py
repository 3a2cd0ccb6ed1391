"""Tables of a study as Parquet files for R, pandas, polars and DuckDB; needs pyarrow, which is in the extra `study`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from handlens.errors import InputError
from handlens.io.atomic import AtomicFile
from handlens.study.formats import tidy
from handlens.study.packing import Layout
from handlens.study.results import Observation, Results

_PORTION = 5000  # rows in memory at a time


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow, which is not installed: type pip install 'handlens[study]'."
        ) from error
    return pyarrow, pyarrow.parquet


def write_events(observations: Sequence[Observation], path: Path) -> Path:
    """Write one row for each event, the columns of the tidy CSV, and return the file.

    Raises:
        InputError: pyarrow is missing.
        OutputError: the file cannot be written.
    """
    arrow, parquet = _arrow()
    kinds = {"start": arrow.float64(), "stop": arrow.float64(), "duration": arrow.float64(), "peak": arrow.float64()}
    kinds |= {"start_frame": arrow.int64(), "stop_frame": arrow.int64(), "cut": arrow.bool_()}
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in tidy.FIELDS])
    rows = [{**row, "cut": bool(row["cut"])} for row in tidy.rows(observations)]
    with AtomicFile(path) as draft:
        parquet.write_table(arrow.Table.from_pylist(rows, schema=schema), draft.file)
    return path


def write_frames(results: Results, path: Path) -> Path:
    """Write one row for each face in each frame, in portions, and return the file.

    Columns: video, frame, time, duration, light (0 to 255), score, x1, y1, x2, y2 (source pixels), touch (probability).

    Raises:
        InputError: pyarrow is missing.
        OutputError: the file cannot be written.
    """
    arrow, parquet = _arrow()
    names = ("time", "duration", "light", "score", "x1", "y1", "x2", "y2", "touch")
    schema = arrow.schema(
        [("video", arrow.string()), ("frame", arrow.int64()), *((name, arrow.float64()) for name in names)]
    )
    with AtomicFile(path) as draft, parquet.ParquetWriter(draft.file, schema) as writer:
        portion: list[dict[str, Any]] = []
        for row in _faces(results):
            portion.append(row)
            if len(portion) >= _PORTION:
                writer.write_table(arrow.Table.from_pylist(portion, schema=schema))
                portion = []
        writer.write_table(arrow.Table.from_pylist(portion, schema=schema))
    return path


def _faces(results: Results) -> Iterator[dict[str, Any]]:
    for video in results.videos:
        text = results.base.layout(video.run.id)
        if text is None:
            continue
        layout = Layout.from_text(text)
        for frame in results.base.frames(video.run.id, video.row.id):
            found = layout.unpack(frame.value)
            for row in found.of("face").nonzero()[0]:
                sure = found.best_touch if found.face_touch is None else float(found.face_touch[row])
                x1, y1, x2, y2 = (float(side) for side in found.xyxy[row])
                yield {
                    "video": video.entry.name,
                    "frame": frame.frame,
                    "time": frame.time,
                    "duration": frame.duration,
                    "light": frame.light,
                    "score": float(found.score[row]),
                    "x1": x1,
                    "y1": y1,
                    "x2": x2,
                    "y2": y2,
                    "touch": None if sure != sure else sure,
                }
