"""Every file format of the study, each written at once or not at all.

Tensors travel as safetensors (weights, features) or npy (images, tables), records as JSON or JSON lines. Nothing here
holds a pickle, a time, a run id or a host name: equal inputs give equal bytes. JSON and CSV, not JSON lines, are
rounded to ten digits, beyond which a sum depends on the machine that makes it.
"""

import csv
import errno
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from ddpm.errors import StudyError

Arrays = dict[str, NDArray[Any]]
DIGITS = 10  # significant, of every float in JSON and CSV

# what file systems answer that lack a function: network shares, folders of a host in a virtual machine, FUSE
_LACKING = {errno.EPERM, errno.EACCES, errno.EINVAL, errno.EBADF}
_LACKING |= {errno.EISDIR, errno.ENOSYS, errno.ENOTSUP, errno.ENOTTY}


@contextmanager
def _where_supported() -> Iterator[None]:
    """Do what makes a written file safer, or nothing on a file system that cannot: the file itself is complete."""
    try:
        yield
    except OSError as error:
        if error.errno not in _LACKING:
            raise


def _cure(error: OSError) -> str:
    """What helps against an error of the file system."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "correct the permissions, or use another folder"
    return "move the folder away" if error.errno == errno.EISDIR else "use another folder or file system"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` atomically: a reader, or a power cut, finds the old file or the new, never half."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                with _where_supported():
                    os.fsync(file.fileno())
            with _where_supported():
                os.chmod(name, 0o644)  # mkstemp's 0600 would keep a shared cache from its other users
            os.replace(name, path)
            with _where_supported():
                folder = os.open(path.parent, os.O_RDONLY)  # the new name outlives a power cut only with its folder
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StudyError(f"cannot write: {error.strerror}", where=str(path), hint=_cure(error)) from error


def remove(path: Path) -> None:
    """Delete one file; StudyError when that is not allowed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StudyError(f"cannot remove: {error.strerror}", where=str(path), hint=_cure(error)) from error


MADE_BY_DVC = "run `dvc repro` to make it"


def read_bytes(path: Path, hint: str = MADE_BY_DVC) -> bytes:
    """The whole file; StudyError with this hint when it is missing or unreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(f"cannot read: {error.strerror}", where=str(path), hint=hint) from error


def read_text(path: Path, hint: str = MADE_BY_DVC) -> str:
    """The whole file, UTF-8; StudyError when it is missing or unreadable, with this hint, or other text."""
    try:
        return read_bytes(path, hint).decode()
    except UnicodeDecodeError as error:
        raise StudyError("not UTF-8", where=str(path), hint="save it as UTF-8") from error


def rounded(value: Any) -> Any:
    """The value with every float in it, in dicts and lists as well, at ``DIGITS`` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list | tuple) else value


def write_json(path: Path, value: Any, *, sort: bool = True) -> None:
    """Write JSON, rounded, its keys sorted unless their order says something; NaN and infinity are refused."""
    write_bytes(path, (json.dumps(rounded(value), indent=2, sort_keys=sort, allow_nan=False) + "\n").encode())


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def read_json(path: Path) -> Any:
    """Read JSON; StudyError when it is damaged."""
    return parse_json(read_bytes(path), str(path))


def parse_json(data: bytes, where: str) -> Any:
    """The value of a JSON file's bytes; StudyError when they are none."""
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"not JSON: {error}", where=where, hint="delete it and run `dvc repro`") from error


def write_json_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line."""
    write_bytes(
        path, b"".join(json.dumps(record, sort_keys=True, allow_nan=False).encode() + b"\n" for record in records)
    )


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read what ``write_json_lines`` wrote; StudyError when a line is damaged."""
    try:
        return [json.loads(line, parse_constant=_no_number) for line in read_bytes(path).splitlines()]
    except (ValueError, RecursionError) as error:
        raise StudyError(f"not JSON lines: {error}", where=str(path), hint="delete it and run `dvc repro`") from error


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that share their keys, rounded, at least one; the first row gives the columns and their order."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rounded(row) for row in rows)
    write_bytes(path, text.getvalue().encode())


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Read what ``write_csv`` wrote: fields are parsed as int, float or str; an empty field is None."""
    return parse_csv(read_bytes(path), str(path))


def parse_csv(data: bytes, where: str) -> list[dict[str, Any]]:
    """The rows of a CSV file's bytes; StudyError when they are none."""
    try:
        reader = csv.DictReader(data.decode().splitlines(), strict=True)
        return [{key: _value(word) for key, word in row.items()} for row in reader]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:  # a row that is too long, or no text at all
        raise StudyError(f"not CSV: {error}", where=where, hint="delete it and run `dvc repro`") from error


def _value(word: str) -> int | float | str | None:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(word)
    return word or None


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write one array as npy; object arrays are refused."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_npy(path: Path) -> NDArray[Any]:
    """Read one npy array; StudyError when it is damaged or holds objects."""
    try:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(read_bytes(path)), allow_pickle=False)
    except (ValueError, EOFError, TypeError, ArithmeticError, MemoryError, SyntaxError, TokenError) as error:
        raise StudyError(f"not an npy array: {error}", where=str(path), hint="delete it and run `dvc repro`") from error
    return array


def write_tensors(path: Path, tensors: Arrays, metadata: Mapping[str, str]) -> None:
    """Write named arrays and their metadata as safetensors; keys are sorted, so equal content gives equal bytes."""
    ordered = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    # The library writes metadata in the order of a hash map with a random seed: one key keeps the bytes the same.
    header = {"study": json.dumps(dict(metadata), sort_keys=True)}
    write_bytes(path, safetensors.numpy.save(ordered, header))


def read_tensors(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Read what ``write_tensors`` wrote; StudyError when it is damaged."""
    data = read_bytes(path)
    try:
        tensors = safetensors.numpy.load(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        metadata: dict[str, str] = json.loads(header.get("__metadata__", {}).get("study", "{}"))
        if not isinstance(metadata, dict):
            raise ValueError("its metadata is no object")
    except (safetensors.SafetensorError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise StudyError(f"not safetensors: {error}", where=str(path), hint="delete it and run `dvc repro`") from error
    return tensors, metadata
