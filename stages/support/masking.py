"""Passwords and tokens in what is printed: replaced by ***, in our own words and in those of libraries."""

import os
import re
import sys
from base64 import b64encode
from typing import Any, BinaryIO, TextIO, cast
from urllib.parse import unquote

HIDDEN = "***"
# user:password@ of an address; a password may hold quotes, @ or, for databases, /
_INSIDE = r"(?:[^\s/?#'\"]|['\"](?![,:;)\]}\s]))"
_USER = re.compile(rf"(?<=://)(?:{_INSIDE}*@|[^\s:/@'\"]*:(?:{_INSIDE}|[/?#])*@)")
_NAMES = r"(?:passw(?:or)?d|pwd|token|secret|credential|signature|api_?key|access_?key|account_?key|_auth)"
_QUERY = re.compile(rf"([?&;](?:[\w.-]*{_NAMES}[\w.-]*|key|sig|auth)=)[^&;\s'\"]+", re.IGNORECASE)
# password='...' of a database, AccountKey=... of a store, _authToken=... of npm, and the headers of HTTP
_NAMED = re.compile(rf"(\b\w*{_NAMES}=)('[^']*'|\"[^\"]*\"|[^\s;,&'\"]+)", re.IGNORECASE)
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


class _MaskedBytes:
    """The bytes under a text stream, masked a write at a time."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream, self._encoding = stream, encoding

    def write(self, data: bytes) -> int:
        text = bytes(data).decode(self._encoding, "surrogateescape")
        self._stream.write(mask(text).encode(self._encoding, "surrogateescape"))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Masked:
    """A text stream whose lines are masked before they are written, whole, as an address may come in pieces."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._begun = stream, ""

    def write(self, text: str) -> int:
        """Write all lines that are complete; the rest waits for its end or for ``flush``."""
        lines, end, self._begun = (self._begun + text).rpartition("\n")
        if end:
            self._stream.write(mask(lines) + end)
        return len(text)

    def flush(self) -> None:
        """Write what there is, masked."""
        begun, self._begun = self._begun, ""
        self._stream.write(mask(begun))
        self._stream.flush()

    @property
    def buffer(self) -> _MaskedBytes:
        """The stream for bytes, which come after the text before them."""
        self.flush()
        return _MaskedBytes(self._stream.buffer, self._stream.encoding)

    def writelines(self, lines: list[str]) -> None:
        """Write lines, masked."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def mask_streams() -> None:
    """Mask all that this process prints from here on, also by libraries and in tracebacks.

    A character that the terminal's encoding lacks is replaced, and does not end the command.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Masked):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace" if name == "stdout" else "backslashreplace")
            setattr(sys, name, cast("TextIO", Masked(stream)))
