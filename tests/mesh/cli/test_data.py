import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.cli.data import LOCK, held, holder, private_folder, wait_until_free
from mesh.cli.refusal import RefusedError

HOLD = """
import sys
from pathlib import Path
from mesh.cli.data import held
with held(Path(sys.argv[1]), "other"):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(lock: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_lock_that_another_process_holds_is_refused_with_its_pid(tmp_path: Path) -> None:
    with holding(tmp_path / LOCK) as other:
        assert holder(tmp_path / LOCK) == other.pid
        refused = pytest.raises(RefusedError, match=f"pid {other.pid}")
        with refused, held(tmp_path / LOCK, "leaky up"):
            pass
        other.communicate()
    assert holder(tmp_path / LOCK) is None


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with holding(tmp_path / LOCK) as other:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    assert (tmp_path / LOCK).read_text() == f"{other.pid}\n"
    with held(tmp_path / LOCK, "leaky up"):
        assert holder(tmp_path / LOCK) == os.getpid()


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    program = "import sys; print('up', flush=True); sys.stdin.read()"
    with held(tmp_path / LOCK, "leaky up"):
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert holder(tmp_path / LOCK) is None
        child.communicate()


def test_waiting_tells_who_still_holds_what(tmp_path: Path) -> None:
    lock = tmp_path / "token.lock"
    with holding(lock) as other:
        assert wait_until_free([lock, tmp_path / "auth.lock"], 0) == {lock: other.pid}
        other.communicate()
    assert wait_until_free([lock], 0) == {}


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_the_data_folder_and_its_files_are_private(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a" / "data")
    (folder / "auth.db").write_text("")
    assert (mode(folder), mode(folder / "auth.db")) == (0o700, 0o600)


@pytest.mark.usefixtures("umask")
def test_a_folder_that_is_not_ours_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    assert mode(private_folder(tmp_path / "shared")) == 0o755
    (tmp_path / "shared" / LOCK).touch()
    assert mode(private_folder(tmp_path / "shared")) == 0o700


@pytest.mark.usefixtures("umask")
def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(RefusedError, match="cannot use the data folder"):
        private_folder(tmp_path / "data")
