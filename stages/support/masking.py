"""Passwords and tokens in what is printed: replaced by ***, in our own words and in those of libraries."""

import os
import re
import sys
from typing import Any, TextIO, cast
from urllib.parse import unquote

HIDDEN = "***"
# user:password@ of an address; a password may hold @ or, for databases, /
_USER = re.compile(r"(?<=://)(?:[^\s/?#'\"]*@|[^\s:/@'\"]*:[^\s@'\"]*@)")
_QUERY = re.compile(r"([?&;][\w.-]*(?:passw|pwd|token|secret|api_?key|signature)[\w.-]*=)[^&;\s'\"]+", re.IGNORECASE)
_VARIABLES = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
)
_SHORT = 4  # a shorter password is hidden inside an address only: its letters are in every second word


def _known() -> set[str]:
    """The secrets in this process's environment, as they are written there and decoded."""
    found = {os.environ[name] for name in _VARIABLES if name in os.environ}
    for value in os.environ.values():
        for user in _USER.findall(value):
            _, colon, password = user.removesuffix("@").partition(":")
            found |= {password, unquote(password)} if colon else set()
    return {secret for secret in found if len(secret) >= _SHORT}


def mask(text: str) -> str:
    """The text without the passwords and tokens of addresses, and without those of the environment."""
    text = _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
    for secret in sorted(_known(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


class Masked:
    """A text stream whose lines are masked before they are written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, masked."""
        self._stream.write(mask(text))
        return len(text)

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
