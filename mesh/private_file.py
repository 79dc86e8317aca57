"""Files that only their owner reads."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Replaces a file at once, with mode 0600; a crash of this process leaves the old one.

    So does, if `durable`, one of the machine; for that it waits for the disk. Raises OSError.
    """
    with _draft(path, text, durable=durable) as draft:
        draft.replace(path)


def create_private(path: Path, text: str) -> None:
    """Makes a file durably, with mode 0600; one that is there stays as it is.

    Of processes that do so at once, the first one's text counts for all. Raises OSError.
    """
    # Linking fails when another process was first, and never shows half a file.
    with _draft(path, text, durable=True) as draft, contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    _sync_folder(path.parent)


@contextlib.contextmanager
def _draft(path: Path, text: str, *, durable: bool) -> Iterator[Path]:
    """The text in a file beside the one that it is for, gone after the block."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
