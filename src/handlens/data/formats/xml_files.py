"""XML files that come from elsewhere, read without entities; it must not know what they mean to a format."""

import codecs
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from handlens.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
)
"""How a file begins that tells its encoding by that."""
_ENCODING = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"']")


def read_xml(path: Path) -> ElementTree.Element:
    """Return the top element of an XML file.

    Raises:
        InputError: it cannot be read, is not XML, or declares entities.
    """
    text = _read_text(path)
    if "<!ENTITY" in text:  # entities can blow up to gigabytes or name other files; label files need none
        raise InputError(f"'{path}' declares entities (<!ENTITY ...>), which are not read: remove its <!DOCTYPE>.")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"'{path}' is not XML: {error}.") from error


def _read_text(path: Path) -> str:
    """Return the text of an XML file, in the encoding that its byte order mark or its first line says, else UTF-8.

    Raises:
        InputError: it cannot be read, or is not in that encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {(error.strerror or str(error)).lower()}.") from error
    declared = _ENCODING.match(data.removeprefix(codecs.BOM_UTF8))
    name = next(
        (name for mark, name in _MARKS if data.startswith(mark)), declared.group(1).decode() if declared else "utf-8"
    )
    try:
        return data.decode(name).removeprefix("\ufeff")
    except LookupError as error:
        raise InputError(f"'{path}' says that its encoding is '{name}', which is unknown: save it as UTF-8.") from error
    except UnicodeError as error:
        where = f"byte {error.start}" if isinstance(error, UnicodeDecodeError) else "its text"
        note = "as it says" if declared else "and does not say what it is in"
        raise InputError(f"'{path}' is not in {name.upper()}, {note}: {where} is none; save it as UTF-8.") from error
