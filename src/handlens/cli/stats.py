"""The verb `stats`: the history that `watch` keeps, as bars in the terminal, as JSON, as CSV; or all of it deleted."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli.errors import complain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from handlens.live.history import History
    from handlens.live.spans import Change, Day, Pause, Span, Touch

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DATE", help="Count from this day on: 2026-11-30, today, yesterday, 30d."),
]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write all numbers; - writes to stdout.")]
Csv = Annotated[
    str | None, typer.Option("--csv", metavar="FILE|-", help="Write one line for each touch; - writes to stdout.")
]
Delete = Annotated[
    bool,
    typer.Option("--delete", help="Delete the whole history, the file, and the pictures of alarms that you judged."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")]

_TIMELINE = 72  # characters of a day: 20 minutes each
_BAR = 30  # characters of the longest bar
_EIGHTHS, _HEIGHTS = " ▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def stats(since: Since = None, json: Json = None, csv: Csv = None, delete: Delete = False, yes: Yes = False) -> int:
    """Show how often you touched your face: today, hours, weekdays, weeks, regions, observed time.

    `handlens watch` writes this history to a file of your own on this computer; it holds no pictures.
    """
    from rich.console import Console

    from handlens.cli.outputs import write_numbers
    from handlens.errors import InputError
    from handlens.live.folders import data_dir
    from handlens.live.history import FILE, History, delete_history, since_date
    from handlens.live.kept_alarms import KeptAlarms

    file = data_dir() / FILE
    if delete:
        if json or csv or since:
            raise InputError("--delete stands alone: it deletes everything; save it before with --csv FILE.")
        kept = KeptAlarms(lambda: False)
        if not yes and not _is_sure(str(file), _pictures(kept.kept()[0])):
            return 0
        gone = delete_history(file)
        pictures = _pictures(kept.delete())
        complain(f"deleted: {gone:,} touch{'' if gone == 1 else 'es'}{pictures}, and the file '{file}'.")
        return 0
    start = float("-inf") if since is None else since_date(since)
    with History(file if file.exists() else ":memory:") as history:
        if json is not None:
            write_numbers(history.to_dict(start), json)
        if csv == "-":
            sys.stdout.write(history.to_csv(None, start))
        elif csv is not None:
            history.to_csv(csv, start)
        if json is None and csv is None:
            _show(history, start, Console(highlight=False))
        if history.is_empty:
            complain(f"the history is empty: 'handlens watch' writes it to '{file}'.")
    return 0


def _is_sure(file: str, pictures: str) -> bool:
    from handlens.errors import InputError

    if not sys.stdin.isatty():
        raise InputError("--delete asks before it deletes, and nobody can answer here: type --delete --yes.")
    return typer.confirm(f"Delete the whole history in '{file}'{pictures}?", err=True)


def _pictures(count: int) -> str:
    return f", {count:,} judged picture{'' if count == 1 else 's'}" if count else ""


def _show(history: "History", since: float, console: "Console") -> None:
    from rich.rule import Rule

    blocks = (console.encoding or "").lower().startswith("utf")
    day, touches, observed = history.day(), history.touches(since), history.observed(since)
    seconds = sum(span.seconds for span in observed)
    console.print(_timeline(day, blocks))
    if not touches and not observed:
        return
    grid = history.grid(since)
    hours = [(f"{hour:2d}:00", *cell) for hour, cell in enumerate(grid.of_hours()) if cell[1] >= 60 or cell[0]]
    weekdays = [(name, *cell) for name, cell in zip(_DAYS, grid.of_weekdays(), strict=True) if cell[1] >= 60 or cell[0]]
    weeks = [(f"{week.monday:%d %b}", week.touches, week.observed_seconds) for week in history.trend()]
    first = next((number for number, week in enumerate(weeks) if week[1] or week[2]), len(weeks))
    for heading, rows in (("Hours", hours), ("Weekdays", weekdays), ("Weeks", weeks[first:])):
        console.print(Rule(heading, align="left", style="dim"), _rates(rows, blocks))
    console.print(Rule("Regions", align="left", style="dim"), _regions(history, since, blocks))
    console.print(Rule("In all", align="left", style="dim"))
    console.print(f"{_count(len(touches))} in {_long(seconds)} observed{_an_hour(len(touches), seconds)}")
    console.print(_pause(history.longest_pause(since)))
    console.print(_change(history.change()))


def _timeline(day: "Day", blocks: bool) -> "RenderableType":
    """Return today as a line: where it was observed, and how many touches began in each twenty minutes."""
    from rich.console import Group
    from rich.text import Text

    observed, touched = [False] * _TIMELINE, [0] * _TIMELINE
    for span in day.observed:
        at = _second_of_day(span)
        last = min(_TIMELINE - 1, int((at + span.seconds) * _TIMELINE / 86400))
        for place in range(at * _TIMELINE // 86400, last + 1):
            observed[place] = True
    for touch in day.touches:
        touched[_second_of_day(touch) * _TIMELINE // 86400] += 1
    line = Text()
    for seen, count in zip(observed, touched, strict=True):
        sign = (_HEIGHTS[min(count, len(_HEIGHTS)) - 1] if blocks else str(min(count, 9))) if count else ""
        line.append(sign or (("·" if blocks else ".") if seen else " "), style="red" if count else "green")
    wide = _TIMELINE // 8
    scale = Text("".join(f"{hour:<{wide}d}" for hour in range(0, 24, 3)), style="dim")
    rate = _an_hour(len(day.touches), day.observed_seconds)
    said = f"{_count(len(day.touches))} in {_long(day.observed_seconds)} observed{rate}"
    return Group(Text(f"Today, {day.date:%A %d %B}: {said}", style="bold"), line, scale)


def _second_of_day(when: "Span | Touch") -> int:
    return when.local.hour * 3600 + when.local.minute * 60 + when.local.second


def _rates(rows: "list[tuple[str, int, float]]", blocks: bool) -> "Table":
    """Return one bar a row: touches per observed hour."""
    from handlens.live.spans import rate

    rates = [rate(count, seconds) for _, count, seconds in rows]
    most = max((value for value in rates if value is not None), default=0.0)
    table = _table(4)
    for (name, count, seconds), value in zip(rows, rates, strict=True):
        told = "" if value is None else f"{value:.1f} an hour"
        table.add_row(name, _bar(value, most, blocks), told, f"{_count(count)} in {_long(seconds)}")
    return table


def _regions(history: "History", since: float, blocks: bool) -> "Table":
    totals = history.regions(since)
    most = max((total.count for total in totals.values()), default=0)
    table = _table(3)
    for name, total in totals.items():
        table.add_row(name, _bar(total.count, most, blocks), f"{_times(total.count)}, {_long(total.seconds)}")
    return table


def _table(columns: int) -> "Table":
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for number in range(columns):
        table.add_column(justify="right" if number >= 2 else "left", no_wrap=True, style="dim" if number == 3 else "")
    return table


def _bar(value: float | None, most: float, blocks: bool) -> "Text":
    from rich.text import Text

    eighths = 0 if not value or not most else max(1, round(value / most * _BAR * 8))
    if not blocks:
        return Text("#" * max(eighths > 0, eighths // 8), style="cyan")
    return Text("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip(), style="cyan")


def _pause(pause: "Pause | None") -> str:
    if pause is None:
        return ""
    return f"longest time without a touch: {_long(pause.seconds)}, from {pause.local:%d %b %H:%M}"


def _change(change: "Change") -> str:
    """Say what changed since the week before, and whether chance may have done it."""
    if change.ratio is None or change.low is None or change.high is None:
        return "the last seven days and the seven before cannot be compared yet: each needs half an hour observed"
    more = change.ratio - 1.0
    said = (
        f"the last seven days: {abs(more):.0%} {'more' if more > 0 else 'fewer'} touches an hour than the seven before"
    )
    interval = f"{change.low - 1:+.0%} to {change.high - 1:+.0%}"
    return f"{said} (95 % interval {interval}{'' if change.is_clear else ': this may be chance'})"


def _an_hour(count: int, seconds: float) -> str:
    from handlens.live.spans import rate

    value = rate(count, seconds)
    return "" if value is None else f", {value:.1f} an hour"


def _count(count: int) -> str:
    return f"{count:,} touch{'' if count == 1 else 'es'}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _long(seconds: float) -> str:
    """Return a time in words: "2 h 05 min", "12 min", "40 s"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
