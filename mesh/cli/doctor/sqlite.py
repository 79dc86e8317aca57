"""SQLite: the file, whether it is one, and the folder around it."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from mesh.cli.doctor.finding import Finding, fail, ok
from mesh.cli.doctor.parts import Part

_PREFIX = "sqlite:///"


async def examine(part: Part) -> list[Finding]:
    """Whether it can be read and written."""
    return [await asyncio.to_thread(_look, part, Path(part.url.removeprefix(_PREFIX)))]


def _not_there(part: Part, path: Path) -> Finding:
    folder = path.absolute().parent
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        what = f"{path} is not there and cannot be made"
        return fail(part.setting, what, f"Make {folder} writable for this user.")
    if not folder.exists() and folder != part.case.data.absolute():
        what = f"the folder {folder} is not there"
        return fail(part.setting, what, f"Make the folder, or correct {part.variable}.")
    return ok(part.setting, f"{path} is made at the first start")


def _look(part: Part, path: Path) -> Finding:
    if not path.exists():
        return _not_there(part, path)
    if not os.access(path, os.W_OK):
        what = f"{path} cannot be written to"
        return fail(part.setting, what, "Give it to this user, with what lies beside it.")
    try:
        # Read-only, so that nothing is made or recovered while a service may have it open.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            file.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        advice = "Restore it from a backup; do not remove what lies beside it (-wal, -shm)."
        return fail(part.setting, f"{path} cannot be read: {error}", advice)
    return ok(part.setting, f"{path}, {path.stat().st_size // 1024} KiB")
