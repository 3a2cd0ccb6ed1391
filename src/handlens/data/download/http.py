"""Asks servers politely: slowly, patiently and under our own name; it must not know what galleries are."""

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from handlens import __version__
from handlens.errors import FrameError, InputError

if TYPE_CHECKING:
    import requests

PAUSE = 1.0  # seconds between two requests to one host: what Openverse allows people without an account
CONNECT, READ, WHOLE = 10.0, 30.0, 120.0  # seconds to be let in, without a byte, and for a whole picture
PATIENCE = 120.0  # seconds: when a server asks to wait for longer, we stop and say so
MOST_BYTES = 25_000_000
_SCHEMES = ("https://", "http://")
_AGAIN = "what is complete is kept, and the same command goes on from there"


class _Busy(Exception):
    """A server asks to wait for longer than our patience."""


class Web:
    """A session with pauses, time limits and repeats; requests are made by `json` and `fetch` only.

    Args:
        contact: A mail address or page of the person who downloads; Wikimedia asks for one in the name of a program.
        pause: Seconds between two requests to one host.

    Raises:
        InputError: the package `requests` is not installed.
    """

    def __init__(self, contact: str = "", pause: float = PAUSE) -> None:
        self.name = user_agent(contact)
        self._pause = pause
        self._last: dict[str, float] = {}
        self._session = _session(self.name)

    def json(self, address: str, query: dict[str, str]) -> dict[str, Any]:
        """Return the JSON object that a server answers.

        Raises:
            InputError: no answer, a refusal, or something that is not a JSON object.
        """
        import requests

        if not address.startswith(_SCHEMES):
            raise InputError(f"'{address}' is not an address of the web: it must begin with https:// or http://.")
        host = _host(address)
        try:
            answer = self._get(address, query)
            text = answer.text
        except _Busy as error:
            raise InputError(f"'{host}' {error}; {_AGAIN}.") from error
        except requests.RequestException as error:
            raise InputError(f"no answer from '{host}': check that you are online; {_AGAIN}.") from error
        if answer.status_code != 200:
            raise InputError(_refusal(host, answer.status_code, text))
        try:
            answer_json = answer.json()
        except ValueError:
            answer_json = None
        if not isinstance(answer_json, dict):
            raise InputError(
                f"'{host}' answered with a page instead of JSON: perhaps a log-in page of this network"
                " stands between, or the address is not that of its API."
            )
        return answer_json

    def fetch(self, address: str, most: int = MOST_BYTES) -> bytes:
        """Return the bytes of one picture.

        Raises:
            FrameError: it is not there, is larger than `most`, or does not arrive.
        """
        import requests

        if not address.startswith(_SCHEMES):
            raise FrameError(f"'{address}' is not an address of the web.")
        until = time.monotonic() + WHOLE
        try:
            with self._get(address, {}, stream=True) as answer:
                if answer.status_code != 200:
                    raise FrameError(_refusal(address, answer.status_code))
                data = bytearray()
                for part in answer.iter_content(1 << 16):
                    data += part
                    if len(data) > most:
                        raise FrameError(f"'{address}' is larger than {most / 1e6:.0f} MB.")
                    if time.monotonic() > until:
                        raise FrameError(f"'{address}' did not arrive within {WHOLE:.0f} seconds.")
                return bytes(data)
        except _Busy as error:
            raise FrameError(f"'{address}' {error}.") from error
        except requests.RequestException as error:
            raise FrameError(f"'{address}' did not arrive: {type(error).__name__}.") from error

    def _get(self, address: str, query: dict[str, str], stream: bool = False) -> "requests.Response":
        host = _host(address)
        wait = self._last.get(host, -self._pause) + self._pause - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        try:
            return self._session.get(address, params=query, stream=stream, timeout=(CONNECT, READ))
        finally:
            self._last[host] = time.monotonic()


def user_agent(contact: str = "") -> str:
    """Return the name under which we ask: program, version, the project's page and the person's contact if known."""
    import importlib.metadata

    try:
        pages = importlib.metadata.metadata("handlens").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        pages = []
    known = [*(page.rpartition(",")[2].strip() for page in pages[:1]), *([contact] if contact else [])]
    return f"handlens/{__version__}" + (f" ({'; '.join(known)})" if known else "")


def _session(name: str) -> "requests.Session":
    try:
        import requests
        from urllib3.util.retry import Retry
    except ImportError as error:
        raise InputError("downloading needs the package requests: type pip install 'handlens[data]'.") from error

    class Patient(Retry):
        """Waits as long as a server asks for, up to our patience."""

        def sleep_for_retry(self, response: Any) -> bool:
            wait = self.get_retry_after(response) or 0.0
            if wait > PATIENCE:
                raise _Busy(f"asks us to come back in {wait / 60:.0f} minutes")
            return super().sleep_for_retry(response)

    repeats = Patient(
        total=4, connect=1, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
    )
    session = requests.Session()
    session.headers["User-Agent"] = f"{name} {requests.utils.default_user_agent()}"
    for scheme in _SCHEMES:
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=repeats))
    return session


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc or address
    except ValueError:  # as of http://[
        return address


def _refusal(who: str, code: int, text: str = "") -> str:
    if code == 429:
        return f"'{who}' asks us to slow down (429): wait some minutes; {_AGAIN}."
    if code in (401, 403):
        return f"'{who}' says no ({code}): it may want to know who asks, so try --contact with your mail address."
    if code >= 500:
        return f"'{who}' is out of order ({code}): try later; {_AGAIN}."
    reason = " ".join(text.split())[:120]
    return f"'{who}' answered {code}{f': {reason}' if reason and '<' not in reason else ''}."
