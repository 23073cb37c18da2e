"""Passwords and tokens in what is printed: replaced by ***, in our own words and in those of libraries."""

import os
import re
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, TextIO, cast
from urllib.parse import unquote

HIDDEN = "***"
# user:password@ of an address; a password may hold quotes, @ or, for databases, /
_INSIDE = r"(?:[^\s/?#'\"]|['\"](?![,:;)\]}\s]))"
_USER = re.compile(rf"(?<=://)(?:{_INSIDE}*@|[^\s:/@'\"]*:(?:{_INSIDE}|[/?#])*@)")
_NAMES = r"(?:passw(?:or)?d|pwd|token|secret|credential|signature|api_?key|access_?key|account_?key|_auth)"
_QUERY = re.compile(rf"([?&;](?:[\w.-]*{_NAMES}[\w.-]*|key|sig|auth)=)[^&;\s'\"]+", re.IGNORECASE)
# password='...' of a database, AccountKey=... of a store, _authToken=... of npm, and the headers of HTTP
_NAMED = re.compile(rf"(\b\w*{_NAMES}=)('[^'\n]*'|\"[^\"\n]*\"|[^\s;,&'\"]+)", re.IGNORECASE)
_HEADER = re.compile(r"(\bAuthorization['\"]?[:=]\s*['\"]?(?:Basic|Bearer|token)\s+)[^\s'\",]+", re.IGNORECASE)
_VARIABLE = re.compile(
    r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|PGPASSWORD|SECRET|API_KEY|ACCESS_KEY(?:_ID)?|CONNECTION_STRING|AUTH)$",
    re.IGNORECASE,
)
_SHORT = 4  # a shorter password is hidden inside an address only: its letters are in every second word
_ADDRESS = re.compile(r"[\w+.-]+://(.*)", re.DOTALL)


def _of_address(value: str) -> set[str]:
    """The password of a value that is an address: as it is written, decoded, and as HTTP sends it."""
    whole = _ADDRESS.fullmatch(value.strip())
    places = [whole[1].rpartition("@")[0]] if whole else []  # whatever the password holds
    places += [user.removesuffix("@") for user in _USER.findall(value)]
    found: set[str] = set()
    for user in places:
        name, colon, password = user.partition(":")
        if colon:
            sent = b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
            found |= {password, unquote(password), sent}
            if "@" in password:  # which is not allowed there, so that libraries take a part of it for the host
                found |= set(re.split(r"[@:/]", password))
    return found


def _known() -> set[str]:
    """The secrets in this process's environment and arguments."""
    found = {value for name, value in os.environ.items() if _VARIABLE.search(name) and len(value) > _SHORT}
    for value in (*os.environ.values(), *sys.argv):
        if "://" in value:
            found |= _of_address(value.rpartition("=")[2] if value.startswith("--") else value)
    # a key in several lines is printed line by line, and one that was read from a file without the end of its line
    found = {piece for secret in found for piece in (secret.strip(), *secret.splitlines())}
    return {secret for secret in found if len(secret) >= _SHORT}


def mask(text: str) -> str:
    """The text without the passwords and tokens of addresses, and without those of the environment and arguments."""
    for secret in sorted(_known(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    before = ""
    while before != text:  # what is left of a password that holds / and then @
        before, text = text, _USER.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    return _HEADER.sub(rf"\1{HIDDEN}", _NAMED.sub(rf"\1{HIDDEN}", text))


class _Lines:
    """What is written, handed on masked and in whole lines, since an address may come in pieces.

    Safe for threads, and for a signal's handler that writes too. A piece that its writer flushes is handed on as it is.
    """

    def __init__(self, hand_on: Callable[[str], object]) -> None:
        self._hand_on, self._begun, self._lock = hand_on, list[str](), threading.RLock()

    def write(self, text: str) -> None:
        with self._lock:
            end = max(text.rfind("\n"), text.rfind("\r")) + 1
            self._begun.append(text[:end])
            if end:
                self.flush()
            self._begun.append(text[end:])

    def flush(self) -> None:
        with self._lock:
            begun, self._begun = "".join(self._begun), []
            if begun:
                self._hand_on(mask(begun))


class _Around:
    """All that a stream has, and its lines one by one, so that none passes beside ``write``."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        raise NotImplementedError

    def writelines(self, lines: Iterable[Any]) -> None:
        """Write lines, masked."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _MaskedBytes(_Around):
    """The bytes under a text stream, masked; what is not text passes as it is."""

    def __init__(self, text: "Masked", stream: BinaryIO) -> None:
        super().__init__(stream)
        self._text = text
        self.lines = _Lines(lambda lines: stream.write(lines.encode("utf-8", "surrogateescape")))

    def write(self, data: bytes) -> int:
        self._text.flush_text()  # which was written before them
        self.lines.write(bytes(data).decode("utf-8", "surrogateescape"))
        return len(data)

    def flush(self) -> None:
        self._text.flush()


class Masked(_Around):
    """A text stream whose lines are masked before they are written."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.lines = _Lines(stream.write)
        self._bytes: _MaskedBytes | None = None

    @property
    def buffer(self) -> _MaskedBytes:
        """The stream for bytes."""
        self._bytes = self._bytes or _MaskedBytes(self, self._stream.buffer)
        return self._bytes

    def write(self, text: str) -> int:
        """Write the text, masked, as far as its lines are complete; the rest waits for its end or for ``flush``."""
        self._flush_bytes()
        self.lines.write(text)
        return len(text)

    def flush_text(self) -> None:
        """Write the text there is."""
        self.lines.flush()
        self._stream.flush()

    def flush(self) -> None:
        """Write what there is."""
        self._flush_bytes()
        self.flush_text()

    def close(self) -> None:
        """Write what there is, and close the stream."""
        self.flush()
        self._stream.close()

    def _flush_bytes(self) -> None:
        if self._bytes is not None:
            self._bytes.lines.flush()


def mask_streams() -> None:
    """Mask all that this process prints from here on, also by libraries and in tracebacks.

    A character that the terminal's encoding lacks is replaced, and does not end the command.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Masked):  # None: closed by the shell
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace" if name == "stdout" else "backslashreplace")
            setattr(sys, name, cast("TextIO", Masked(stream)))
