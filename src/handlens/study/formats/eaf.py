"""ELAN files (.eaf 3.0): a tier for each person with a controlled vocabulary, and one beneath it for the side."""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from handlens.errors import InputError
from handlens.study.database import CodedEvent
from handlens.study.formats.coding import SIDES, TOUCH, Coding, Mark, bare, layers, need_span, read_text
from handlens.study.results import Observation
from handlens.tasks.touch import REGIONS

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_WHOLE = re.compile(r"-?\d+")  # milliseconds
_WORDS = (TOUCH, *REGIONS)
_SIDE_WORDS = (
    *SIDES,
    *(f"{hand} hand" for hand in SIDES),
    *(f"{side} {hand} hand" for side in SIDES for hand in SIDES),
)
_MIME = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mpg": "video/mpeg"}
_CONSTRAINTS = (
    ("Time_Subdivision", "Time subdivision of parent annotation's time interval, no time gaps allowed"),
    ("Symbolic_Subdivision", "Symbolic subdivision of a parent annotation. Annotations refering to the same parent"),
    ("Symbolic_Association", "1-1 association with a parent annotation"),
    ("Included_In", "Time alignable annotations within the parent annotation's time interval, gaps are allowed"),
)


def document(one: Observation, folder: Path, others: Sequence[Observation] = ()) -> bytes:
    """Return the bytes of an .eaf file.

    Args:
        folder: Where the file will lie: linked media are also named relative to it.
        others: What other coders saw of the same video, each in tiers of its own.
    """
    ET.register_namespace("xsi", _XSI)
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "handlens",
            "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    for film in one.media:
        told = {
            "MEDIA_URL": film.path.resolve().as_uri(),
            "RELATIVE_MEDIA_URL": _relative(film.path, folder),
            "MIME_TYPE": _MIME.get(film.path.suffix.lower(), "video/*"),
        }
        if film.offset:
            # ELAN shows a film from this moment of its own on; one that begins later has a negative one.
            told["TIME_ORIGIN"] = str(round(-film.offset * 1000))
        ET.SubElement(header, "MEDIA_DESCRIPTOR", told)
    order = ET.SubElement(root, "TIME_ORDER")
    slots: list[int] = []
    count = [0]
    for each in (one, *others):
        for subject in each.subjects:
            events = [event for event in each.events if event.subject == subject]
            prefix = f"{each.coder}: " if others else ""
            _tiers(root, f"{prefix}{subject}", subject, each.coder, events, slots, count)
    for number, milliseconds in enumerate(slots, 1):
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{number}", "TIME_VALUE": str(milliseconds)})
    ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(count[0])
    _types(root)
    _vocabulary(root, "touches", _WORDS)
    _vocabulary(root, "sides", _SIDE_WORDS)
    ET.indent(root, " ")
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _relative(path: Path, folder: Path) -> str:
    try:
        return "./" + Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.name


def _tiers(
    root: ET.Element,
    name: str,
    subject: str,
    coder: str,
    events: Sequence[CodedEvent],
    slots: list[int],
    count: list[int],
) -> None:
    """Add the tier of one person and the one of the sides beneath it; ELAN allows no overlap within a tier."""
    for number, layer in enumerate(layers(events) or [[]], 1):
        called = name if number == 1 else f"{name} ({number})"
        more = {"PARTICIPANT": subject, "ANNOTATOR": coder}
        tier = ET.SubElement(root, "TIER", {"TIER_ID": called, "LINGUISTIC_TYPE_REF": "touch", **more})
        beneath = []
        for event in layer:
            slots += [round(event.start * 1000), round(event.stop * 1000)]
            count[0] += 1
            entry = ET.SubElement(
                ET.SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                {
                    "ANNOTATION_ID": f"a{count[0]}",
                    "TIME_SLOT_REF1": f"ts{len(slots) - 1}",
                    "TIME_SLOT_REF2": f"ts{len(slots)}",
                },
            )
            ET.SubElement(entry, "ANNOTATION_VALUE").text = event.region or TOUCH
            hand = f"{event.hand} hand" if event.hand in SIDES else ""
            side = " ".join(word for word in (event.side, hand) if word)
            if side:
                beneath.append((f"a{count[0]}", side))
        if beneath:
            child = {"TIER_ID": f"side@{called}", "LINGUISTIC_TYPE_REF": "side", "PARENT_REF": called, **more}
            _beneath(ET.SubElement(root, "TIER", child), beneath, count)


def _beneath(tier: ET.Element, values: Sequence[tuple[str, str]], count: list[int]) -> None:
    for parent, value in values:
        count[0] += 1
        entry = ET.SubElement(
            ET.SubElement(tier, "ANNOTATION"),
            "REF_ANNOTATION",
            {"ANNOTATION_ID": f"a{count[0]}", "ANNOTATION_REF": parent},
        )
        ET.SubElement(entry, "ANNOTATION_VALUE").text = value


def _types(root: ET.Element) -> None:
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {
            "LINGUISTIC_TYPE_ID": "touch",
            "TIME_ALIGNABLE": "true",
            "GRAPHIC_REFERENCES": "false",
            "CONTROLLED_VOCABULARY_REF": "touches",
        },
    )
    ET.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {
            "LINGUISTIC_TYPE_ID": "side",
            "TIME_ALIGNABLE": "false",
            "GRAPHIC_REFERENCES": "false",
            "CONSTRAINTS": "Symbolic_Association",
            "CONTROLLED_VOCABULARY_REF": "sides",
        },
    )
    ET.SubElement(
        root,
        "LANGUAGE",
        {"LANG_ID": "eng", "LANG_DEF": "http://cdb.iso.org/lg/CDB-00138502-001", "LANG_LABEL": "English"},
    )
    for name, description in _CONSTRAINTS:
        ET.SubElement(root, "CONSTRAINT", {"STEREOTYPE": name, "DESCRIPTION": description})


def _vocabulary(root: ET.Element, name: str, words: Sequence[str]) -> None:
    vocabulary = ET.SubElement(root, "CONTROLLED_VOCABULARY", {"CV_ID": name})
    ET.SubElement(vocabulary, "DESCRIPTION", {"LANG_REF": "eng"}).text = ""
    for number, word in enumerate(words):
        entry = ET.SubElement(vocabulary, "CV_ENTRY_ML", {"CVE_ID": f"cveid_{name}_{number}"})
        ET.SubElement(entry, "CVE_VALUE", {"DESCRIPTION": "", "LANG_REF": "eng"}).text = word


def read(path: Path) -> list[Coding]:
    """Return what an .eaf file holds: each annotation that has times, with the texts of those that hang on it.

    The person is the tier's participant, or what stands behind "@" in its name, or its name.

    Raises:
        InputError: it is not an ELAN file.
    """
    text = read_text(path)
    if "<!ENTITY" in text:
        raise InputError(f"'{path}' is not an ELAN file: it defines entities of its own.")
    try:
        root = ET.fromstring(text.encode("utf-8") if "encoding=" in text[:80].lower() else text)
    except ET.ParseError as error:
        raise InputError(f"'{path}' is not an ELAN file: {error}.") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise InputError(f"'{path}' is not an ELAN file: it begins with <{root.tag}>.")
    slots = {each.get("TIME_SLOT_ID", ""): each.get("TIME_VALUE") for each in root.iter("TIME_SLOT")}
    media = [each.get("MEDIA_URL", "") for each in root.iter("MEDIA_DESCRIPTOR")]
    hanging: dict[str, list[str]] = {}
    for entry in root.iter("REF_ANNOTATION"):
        hanging.setdefault(entry.get("ANNOTATION_REF", ""), []).append(entry.findtext("ANNOTATION_VALUE") or "")
    found: dict[str, tuple[list[Mark], list[str]]] = {}
    for tier in root.iter("TIER"):
        made, said = _read_tier(path, tier, slots, hanging)
        if made or said:
            marks, problems = found.setdefault(tier.get("ANNOTATOR", ""), ([], []))
            marks += made
            problems += said
    name = bare(_unquoted(media[0])) if media else path.stem
    return [
        Coding(name, coder, tuple(sorted(marks, key=lambda mark: mark.start)), tuple(problems), names=(path.stem,))
        for coder, (marks, problems) in found.items()
    ] or [Coding(name, "", (), names=(path.stem,))]


def _unquoted(address: str) -> str:
    return unquote(address)


def _read_tier(
    path: Path, tier: ET.Element, slots: Mapping[str, str | None], hanging: Mapping[str, Sequence[str]]
) -> tuple[list[Mark], list[str]]:
    name = tier.get("TIER_ID", "")
    behind = name.split("@", 1)[1] if "@" in name else name
    subject = tier.get("PARTICIPANT") or behind
    marks, problems = [], []
    for entry in tier.iter("ALIGNABLE_ANNOTATION"):
        start, stop = (slots.get(entry.get(f"TIME_SLOT_REF{end}", "")) for end in (1, 2))
        value = entry.findtext("ANNOTATION_VALUE") or ""
        if start is None or stop is None or not (_WHOLE.fullmatch(start) and _WHOLE.fullmatch(stop)):
            problems.append(f"'{path}', tier '{name}': the annotation '{value}' has no time and is left out.")
            continue
        need_span(int(start) / 1000, int(stop) / 1000, path, f"tier '{name}', the annotation '{value}'")
        texts = [value, *hanging.get(entry.get("ANNOTATION_ID", ""), ())]
        before = name.split("@", 1)[0]
        marks.append(Mark(subject, (*texts, before), int(start) / 1000, int(stop) / 1000))
    return marks, problems
