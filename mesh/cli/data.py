"""The data folder and its locks."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mesh.cli.refusal import USAGE, RefusedError
from mesh.settings.source import FILE

LOCK = "leaky.lock"
POLL_SECONDS = 0.05
_PRIVATE = 0o077
# How often a lock is tried whose recorded holder is gone: somebody else just looked at it.
_TRIES = 20


def environment(data: Path | None) -> dict[str, str]:
    """This process's environment, with the data folder of `--data` in it."""
    env = dict(os.environ)
    if data is not None:
        env["LEAKY_DATA"] = str(data.absolute())
    return env


def private_folder(path: Path) -> Path:
    """The data folder, made with mode 0700; what we write from now on only we can read.

    A folder that was there before keeps its mode unless it is ours.
    """
    os.umask(_PRIVATE)
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        ours = (path / LOCK).exists() or (path / FILE).exists()
        if ours and path.stat().st_mode & _PRIVATE:
            path.chmod(0o700)
    except OSError as error:
        message = f"cannot use the data folder {path}: {error.strerror}"
        raise RefusedError(message, code=USAGE) from error
    return path.absolute()


def service_lock(data: Path, service: str, instance: int = 1) -> Path:
    """The lock that a running service holds on its data."""
    return data / (f"{service}.lock" if instance == 1 else f"{service}.{instance}.lock")


def service_locks(data: Path, services: Iterable[str]) -> list[Path]:
    """The locks of all processes of these services that ever ran on the data."""
    return [
        lock for name in services for lock in (data / f"{name}.lock", *data.glob(f"{name}.*.lock"))
    ]


@contextmanager
def held(lock: Path, what: str) -> Iterator[None]:
    """Holds a lock, released by the kernel however this process ends.

    Raises RefusedError that names the holder's pid. Children do not inherit it.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, lock, what)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, lock: Path, what: str) -> None:
    for _ in range(_TRIES):
        if _try(descriptor, fcntl.LOCK_EX):
            return
        pid = _pid(lock)
        if pid and _alive(pid):
            raise RefusedError(f"{what} is already running on {lock.parent}, pid {pid}")
        time.sleep(POLL_SECONDS)
    raise RefusedError(f"{what} is already running on {lock.parent}")


def holder(lock: Path) -> int | None:
    """The pid of the process that holds the lock, 0 if it has not said; None when it is free."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _pid(lock)
    finally:
        os.close(descriptor)


def runner(data: Path, service: str) -> int | None:
    """The pid of a process of this service on the data; see `holder`."""
    return next(iter(_holders(service_locks(data, [service])).values()), None)


def wait_until_free(locks: Iterable[Path], seconds: float) -> Mapping[Path, int]:
    """Waits for the holders to end; what is still held after that, and by whom."""
    end = time.monotonic() + seconds
    left = _holders(locks)
    while left and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        left = _holders(left)
    return left


def _holders(locks: Iterable[Path]) -> dict[Path, int]:
    return {lock: pid for lock in locks if (pid := holder(lock)) is not None}


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(lock: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(lock.read_text())
    return 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
