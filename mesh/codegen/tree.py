"""Brings a folder to what was generated, and says where it differs."""

import filecmp
import os
import shutil
from pathlib import Path

# What is generated below gen/; anything else there is not ours to touch.
MANAGED = ("leaky", "pyproject.toml")


def differences(fresh: Path, out: Path) -> list[str]:
    """Files that are missing, stale or too many in `out`, sorted."""
    new, old = _files(fresh), _files(out)
    changed = {
        name for name in new & old if not filecmp.cmp(fresh / name, out / name, shallow=False)
    }
    return sorted((new ^ old) | changed)


def update(fresh: Path, out: Path) -> None:
    """Writes what differs and removes what is no longer generated.

    Each file is replaced in one step, so that a process that imports from
    `out` meanwhile never sees half of one.
    """
    for name in differences(fresh, out):
        source, target = fresh / name, out / name
        if not source.exists():
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(source, partial)
        partial.replace(target)


def _files(root: Path) -> set[str]:
    found = [path for name in MANAGED for path in ((root / name), *(root / name).rglob("*"))]
    return {
        str(path.relative_to(root))
        for path in found
        if path.is_file() and "__pycache__" not in path.parts
    }
