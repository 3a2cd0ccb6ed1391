"""The verbs of `study`: begin one, code its videos, look at it, compare it, write it; each imports what it needs."""

import json as json_
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handlens.cli.command_group import group
from handlens.cli.errors import DONE, INTERRUPTED, WRONG_INPUT, complain
from handlens.cli.options import DAY_S
from handlens.errors import InputError

if TYPE_CHECKING:
    from handlens.study.results import Results

study = group(help="Code hours of video like a second rater.", invoke_without_command=True)

Folder = Annotated[str, typer.Argument(metavar="DIR", help="The folder of the study.")]
Coders = Annotated[
    list[str] | None,
    typer.Option("--coder", metavar="NAME", help="Whose events: handlens (the model), or a person; may be repeated."),
]


@study.callback()
def front(context: typer.Context) -> None:
    """Code hours of video like a second rater: events of each person, agreement with people, a report."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@study.command()
def init(
    folder: Folder,
    more: Annotated[list[str] | None, typer.Argument(metavar="[PATTERN]...", hidden=True)] = None,
    videos: Annotated[
        list[str] | None, typer.Option("--videos", metavar="PATTERN...", help="Videos, folders or patterns.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="The title; the folder's name without.")] = "",
    model: Annotated[str, typer.Option("--model", "-m", metavar="NAME|FILE", help="A model of touches.")] = "touch",
    sample_fps: Annotated[
        float, typer.Option("--sample-fps", min=0, metavar="F", help="Frames a second to look at; 0 for all.")
    ] = 5.0,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Search the folders below, too.")] = False,
) -> int:
    """Write DIR/study.toml, which says what is coded and how; edit it, then type handlens study run DIR."""
    from handlens.io.sources.base import is_picture
    from handlens.io.sources.find import find_files
    from handlens.study.config import write_new
    from handlens.study.segments import recorded

    found = [
        file
        for pattern in (videos or []) + (more or [])
        for file in find_files(pattern, recursive, complain)
        if not is_picture(file)
    ]
    starts = {file: recorded(file) for file in found}
    path = write_new(folder, list(dict.fromkeys(found)), name, model, sample_fps, starts)
    several = "s" if len(set(found)) > 1 else ""
    complain(
        f"written: {path} with {len(set(found))} video{several}. Look through it, then: handlens study run {folder}"
    )
    return DONE


@study.command()
def run(
    folder: Folder,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=256, metavar="N", help="Processes.")] = 1,
    ray: Annotated[
        str | None, typer.Option("--ray", metavar="auto|ADDRESS", help="Use a Ray cluster in place of processes.")
    ] = None,
    again: Annotated[
        list[str] | None, typer.Option("--again", metavar="NAME", help="Code this video again, as after a change.")
    ] = None,
) -> int:
    """Code what is missing. A run that was stopped or killed goes on with the segment in which it ended."""
    from handlens.cli.console import Bar
    from handlens.study.config import load
    from handlens.study.run import Step, run_study

    config = load(folder)
    executor = None
    if ray is not None:
        from handlens.study.cluster import on_ray

        executor = on_ray(ray)
    with Bar() as bar:

        def progress(step: Step) -> None:
            if step.done == 1:
                bar.begin("segments", step.total)
            bar.count()

        report = run_study(config, jobs, executor, None, again or (), complain, progress)
    per_second = report.frames / report.seconds if report.seconds > 0 else 0.0
    speed = f", {per_second:.0f} frames a second of one core" if report.frames else ""
    complain(
        f"{report.segments} segments and {report.frames:,} frames coded{speed}; {report.joined} videos joined,"
        f" {report.events} touches."
    )
    if report.interrupted:
        complain(f"interrupted: what was coded is kept. To go on, type: handlens study run {folder}")
        return INTERRUPTED
    return WRONG_INPUT if report.problems else DONE


@study.command()
def status(
    folder: Folder,
    json: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write it as JSON.")] = None,
) -> int:
    """Show for each video what is coded, with what, and by whom else."""
    from rich.console import Console
    from rich.table import Table

    from handlens.cli.outputs import write_numbers
    from handlens.study.config import load
    from handlens.study.status import state_of

    config = load(folder)
    rows = state_of(config)
    if json is not None:
        write_numbers({"study": config.name, "videos": rows}, json)
        return DONE
    table = Table("video", "state", "duration", "segments", "touches", "coded by", title=config.name, box=None)
    for row in rows:
        seconds = row["duration"]
        shown = "" if seconds is None else f"{seconds:.1f} s"
        pieces = f"{row['segments_done']} of {row['segments']}" if row["segments"] else ""
        events = "" if row["events"] is None else str(row["events"])
        table.add_row(str(row["video"]), str(row["state"]), shown, pieces, events, ", ".join(_coders_of(row)))
    Console(highlight=False).print(table)
    return DONE


def _coders_of(row: Mapping[str, Any]) -> list[str]:
    """Return the people of a row of the state; of a review that is not finished with what is done of it."""
    unfinished = {name: told for name, told in row["reviews"].items() if told[0] < told[1]}
    names = sorted({*row["coders"], *row["reviews"]})
    return [f"{name} {unfinished[name][0]} of {unfinished[name][1]}" if name in unfinished else name for name in names]


@study.command()
def report(
    folder: Folder,
    out: Annotated[str, typer.Option("--out", metavar="FILE.html", help="The report, one file that needs no network.")],
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="DIR", help="Also write persons.csv, videos.csv and events.csv.")
    ] = None,
    pictures: Annotated[
        str | None, typer.Option("--pictures", metavar="DIR", help="Also write pictures as SVG and 300 dpi PNG.")
    ] = None,
    thumbnails: Annotated[
        int, typer.Option("--thumbnails", min=0, metavar="N", help="Show up to N touches of each person.")
    ] = 0,
    blur: Annotated[bool, typer.Option("--blur", help="Make the faces in them unrecognisable.")] = False,
) -> int:
    """Write what was seen: times, rates, regions, timelines, maps of the face, and what to beware of."""
    from handlens.study.report import write_report, write_tables

    with opened(folder) as results:
        files = [write_report(results, out, thumbnails, blur)]
        if csv is not None:
            files += write_tables(results, csv)
        if pictures is not None:
            from handlens.study.pictures import write_pictures

            complain(f"{len(write_pictures(results, pictures))} pictures in {pictures}")
        complain(f"written: {', '.join(map(str, files))}")
    return DONE


@study.command()
def export(
    folder: Folder,
    format: Annotated[
        str,
        typer.Option(
            "--format", metavar="NAME", help="boris, boris-events, eaf, textgrid, datavyu, csv, parquet, vtt."
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="PATH", help="The file, or the folder of a file for each video.")
    ],
    coder: Coders = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="With parquet: the faces of all frames, not events.")
    ] = False,
) -> int:
    """Write the events for BORIS, ELAN, Praat, Datavyu, R, pandas or a player."""
    from handlens.study.config import MACHINE
    from handlens.study.formats.write import FORMATS, write

    with opened(folder) as results:
        if frames:
            if format != "parquet":
                raise InputError("--frames goes with --format parquet.")
            from handlens.study.parquet import write_frames

            files = [write_frames(results, Path(out))]
        else:
            coders = coder or [MACHINE]
            seen = [one for name in coders for one in results.observations(name)]
            if not seen and format in FORMATS:
                raise InputError(f"nothing was coded by {', '.join(coders)}.")
            files = write(format, seen, out, results.config.name, about(results))
        several = f"{len(files)} files in {out}" if len(files) > 1 else str(files[0])
        complain(f"written: {several}")
    return DONE


@study.command()
def agree(
    folder: Folder,
    more: Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", hidden=True)] = None,
    coded: Annotated[
        list[str] | None,
        typer.Option("--coded", metavar="FILE...", help="Files that people coded; NAME=FILE names the person."),
    ] = None,
    bin: Annotated[
        float | None, typer.Option("--bin", min=0.01, max=3600, metavar="SEC", help="Width of the bins.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", min=0, max=DAY_S, metavar="SEC", help="How far apart onsets may be.")
    ] = None,
    json: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write all figures as JSON.")] = None,
    pictures: Annotated[
        str | None, typer.Option("--pictures", metavar="DIR", help="Draw Bland-Altman plots, as SVG and 300 dpi PNG.")
    ] = None,
    coder: Coders = None,
) -> int:
    """Compare the model with what people coded (BORIS, ELAN, Praat, Datavyu, CSV, WebVTT), and people with people."""
    import sys

    from handlens.cli.outputs import write_numbers
    from handlens.io.atomic import refuse_folder
    from handlens.study.agree import apa_table, compare, import_coded, method_text, people, remember

    if json not in (None, "-"):
        refuse_folder(json)
    with opened(folder) as results:
        files = (coded or []) + (more or [])
        coders = import_coded(results, files, complain) if files else []
        if coder or not files:
            coders = list(dict.fromkeys([*coders, *(coder or people(results))]))
        report = compare(results, coders, bin, tolerance)
        for sentence in report.left_out:
            complain(sentence)
        remember(results, report)
        text = "\n".join(apa_table(pair, number) for number, pair in enumerate(report.pairs, 1))
        text += "\n" + method_text(results, report)
        print(text, file=sys.stderr if json == "-" else sys.stdout)
        if json is not None:
            write_numbers(report.to_dict(), json)
        if pictures is not None:
            from handlens.study.pictures import write_agreement

            complain(f"{len(write_agreement(report.pairs, pictures))} pictures in {pictures}")
    return DONE


@study.command()
def review(
    folder: Folder,
    coder: Annotated[str, typer.Option("--as", metavar="NAME", help="Your name, as a second coder.")],
    video: Annotated[str, typer.Option("--video", metavar="NAME", help="This video only.")] = "",
    order: Annotated[str, typer.Option("--order", metavar="unsure|time", help="What comes first.")] = "unsure",
    blind: Annotated[
        bool, typer.Option("--blind", help="Do not show what the model saw, and show stretches without events, too.")
    ] = False,
    stretches: Annotated[
        int | None,
        typer.Option("--stretches", min=0, max=10000, metavar="N", help="So many of them; as many as events without."),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="0 is any free one.")] = 7312,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
    training: Annotated[
        str | None,
        typer.Option("--training", metavar="DIR", help="Write what was reviewed as a labelled set."),
    ] = None,
) -> int:
    """Open a page on this machine to go through the events: right, wrong, change, split."""
    import sys
    import webbrowser

    from handlens.study.review import Review, write_training_set
    from handlens.study.review_server import ReviewServer

    with opened(folder) as results:
        if training is not None:
            complain(f"written: {write_training_set(results, coder, training)}")
            return DONE
        review = Review(results, coder, order, video, blind, stretches)
        if blind:
            complain(f"{len(review.items)} stretches, with and without events of the model, in a random order.")
        with ReviewServer(review, port) as server:
            print(f"page: {server.address}", file=sys.stderr, flush=True)
            if not no_open:
                webbrowser.open(server.address)
            server.run()
    return DONE


@contextmanager
def opened(folder: str) -> Iterator["Results"]:
    """Open the results of a study; what a reader should know of them goes to stderr.

    Raises:
        InputError: there is no study, or nothing is coded with its present settings.
    """
    from handlens.study.config import load
    from handlens.study.database import Database
    from handlens.study.results import Results

    config = load(folder)
    with Database(config.database) as base:
        results = Results(config, base)
        results.need_all()
        for remark in results.remarks():
            complain(remark)
        yield results


def about(results: "Results") -> str:
    """Return how the events were made, in a sentence for files that hold a description."""
    run = results.videos[0].run
    return (
        f"Coded by handlens {run.handlens}, model {Path(run.model).name}"
        f" ({json_.dumps(dict(run.digests))}), {json_.dumps(dict(results.videos[0].analysis.settings))}"
    )
