"""Write the reference pages that come from the code: commands and models (a hook of mkdocs)."""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the address of the repository from pyproject.toml, the one place where it is written."""
    project = tomllib.loads(Path(config.config_file_path).with_name("pyproject.toml").read_text("utf-8"))
    config.repo_url = project["project"]["urls"]["Source"]
    config.repo_name = "handlens"
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages to the files of the site."""
    for path, text in (
        ("reference/commands.md", commands_page()),
        ("reference/models.md", models_page()),
    ):
        files.append(File.generated(config, path, content=text))
    return files


def commands_page() -> str:
    """Return the page of all commands, with the help text that the program prints."""
    from handlens.cli.app import app

    lines = [
        "# Command line",
        "",
        "This page is generated from the program: `handlens COMMAND --help` prints it.",
        "",
    ]
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            lines += _command(f"handlens {name}", command)
        else:
            lines += [f"## handlens {name}", "", command.help or "", ""]
            for verb, nested in inner.items():
                lines += _command(f"handlens {name} {verb}", nested, level=3)
    return "\n".join(lines) + "\n"


def _command(title: str, command: Any, level: int = 2) -> list[str]:
    """Return the section of one command: its purpose, arguments and options."""
    lines = ["#" * level + f" {title}", "", (command.help or "").strip(), ""]
    shown = [param for param in command.get_params(typer.Context(command)) if param.name != "help"]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    if arguments:
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| `{param.metavar or param.name}` | {_cell(param.help)} |" for param in arguments] + [""]
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|"]
        for param in options:
            value = "" if param.is_flag and "/" not in "".join(param.opts) else f" {param.metavar or ''}".rstrip()
            names = ", ".join([*param.opts, *param.secondary_opts])
            lines.append(f"| `{names}{value}` | {_default(param.default)} | {_cell(param.help)} |")
        lines.append("")
    return lines


def _default(value: Any) -> str:
    """Return a default as it is typed; nothing where there is none."""
    return "" if value is None or value is False or callable(value) else f"`{value}`"


def _cell(text: str | None) -> str:
    """Return text that stays within one cell of a table."""
    return " ".join((text or "").split()).replace("|", "\\|")


def models_page() -> str:
    """Return the cards of the shipped models, read from the model files, and the networks that can be trained."""
    from handlens.runner import OnnxRunner
    from handlens.train.nets import catalog
    from handlens.weights import COMPOSED, resolve, shipped

    lines = ["# Models", "", "Each model file carries its card. `handlens models NAME` prints it.", ""]
    for name in shipped():
        path = resolve(name)
        card = dataclasses.asdict(OnnxRunner(path).card)
        lines += [f"## {name}", "", f"Size of the file: {path.stat().st_size / 1e6:.2f} MB", ""]
        lines += ["| field | value |", "|---|---|"]
        lines += [f"| {key} | {_value(value)} |" for key, value in card.items()] + [""]
    for name, parts in COMPOSED.items():
        links = " and ".join(f"[{part}](#{part})" for part in parts.values())
        lines += [f"## {name}", "", f"Made of {links}.", ""]
    lines += ["## Networks that can be trained", "", "`handlens models NAME` prints the layers of one.", ""]
    lines += ["| `--net` | task | parameters | classes | is |", "|---|---|---|---|---|"]
    for name in catalog.names():
        net = catalog.find(name)
        classes = net.classes or "none, an embedding"
        lines.append(f"| `{name}` | {net.task} | {net.parameters:,} | {classes} | {_cell(net.family)} |")
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return the value of a card's field for a table."""
    if isinstance(value, Mapping):
        value = "<br>".join(f"{key}: {_value(inner)}" for key, inner in sorted(value.items()))
    elif isinstance(value, tuple):
        value = ", ".join(map(_value, value))
    elif isinstance(value, float):
        value = f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
    return _cell(str(value)) or "-"
