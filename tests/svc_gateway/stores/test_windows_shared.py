"""One count in several processes, whatever becomes of one of them."""

import asyncio
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from svc_gateway.stores.windows_shared import BUCKETS, PLACES, SharedWindows, open_windows

pytestmark = pytest.mark.anyio
MINUTE = 60_000_000
SECRET = "what all gateways share"
# Counts as often as it is told, and says what it got. On a machine that is busy it waits for
# longer than usual: who holds a lock may not run for a while.
PROGRAM = f"""
import asyncio, sys
from svc_gateway.stores import windows_shared

windows_shared.PATIENCE_SECONDS = 60.0

async def main():
    async with windows_shared.open_windows(sys.argv[1], secret={SECRET!r}) as windows:
        print("open", flush=True)
        sys.stdin.readline()
        for _ in range(int(sys.argv[2])):
            print(await windows.hit("a", 1, {MINUTE}))

asyncio.run(main())
"""


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"shared://{tmp_path}/windows"


def test_hits_of_several_processes_are_all_counted(address: str) -> None:
    counts: list[int] = []
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 our own program
                    [sys.executable, "-c", PROGRAM, address, "500"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(3)
        ]
        for each in processes:
            assert each.stdout is not None
            assert each.stdout.readline() == "open\n"
        for each in processes:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        for each in processes:
            counts += [int(line) for line in each.communicate()[0].splitlines()]
    assert sorted(counts) == list(range(1, 1_501))


def counted_elsewhere(address: str) -> str:
    """What a process of its own says that counts once."""
    return subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-c", PROGRAM, address, "1"],
        input="\n",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


async def test_what_is_counted_is_kept_when_another_process_opens_the_file(address: str) -> None:
    async with open_windows(address, secret=SECRET) as windows:
        assert await windows.hit("a", 1, MINUTE) == 1
        assert await asyncio.to_thread(counted_elsewhere, address) == "open\n2\n"
        assert await windows.hit("a", 1, MINUTE) == 3


async def test_the_file_is_wholly_on_the_disk_before_anything_is_counted(
    address: str, tmp_path: Path
) -> None:
    async with open_windows(address, secret=SECRET):
        file = (tmp_path / "windows").stat()
    # st_blocks are of 512 bytes, whatever the file system's own.
    assert 0 < file.st_size <= file.st_blocks * 512


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that has locked every bucket, and goes no further."""
    program = (
        "import fcntl, os, sys, time\n"
        "file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)\n"
        f"fcntl.lockf(file, fcntl.LOCK_EX, {BUCKETS}, 0)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(  # noqa: S603 our own program
        [sys.executable, "-c", program, tmp_path / "windows"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


async def test_one_that_stands_still_with_a_lock_is_an_outage_until_it_ends(
    address: str, holder: "subprocess.Popen[str]"
) -> None:
    async with open_windows(address, secret=SECRET) as windows:
        with pytest.raises(AppError) as away:
            await windows.hit("a", 1, MINUTE)
        assert away.value.reason == REASON_UNAVAILABLE
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert await windows.hit("a", 1, MINUTE) == 1


async def test_what_is_counted_outlives_the_processes(address: str) -> None:
    for count in (1, 2):
        async with open_windows(address, secret=SECRET) as windows:
            assert await windows.hit("a", 1, MINUTE) == count


async def test_who_comes_too_late_shares_a_count_until_windows_have_passed(address: str) -> None:
    async with open_windows(address, secret=SECRET) as opened:
        windows = SharedWindows(opened._file, opened._table, SECRET, 1)
        first = [await windows.hit(f"caller-{n}", 1, MINUTE) for n in range(PLACES)]
        assert first == [1] * PLACES
        # The last one's place.
        assert await windows.hit("one more", 1, MINUTE) == 2
        assert await windows.hit("and another", 2, MINUTE) == 3
        assert await windows.hit("caller-0", 1, MINUTE) == 2
        assert [await windows.hit(f"later-{n}", 3, MINUTE) for n in range(PLACES)] == first


async def test_the_file_names_nobody_and_is_its_owners(address: str, tmp_path: Path) -> None:
    async with open_windows(address, secret=SECRET) as windows:
        await windows.hit("GET|10.0.0.7", 1, MINUTE)
    assert b"10.0.0.7" not in (tmp_path / "windows").read_bytes()
    assert (tmp_path / "windows").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "windows").open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, BUCKETS, 0)


async def test_where_the_file_cannot_be_the_start_says_so(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="nowhere/windows: No such file") as refused:
        async with open_windows(f"shared://{tmp_path}/nowhere/windows", secret=SECRET):
            pass
    assert refused.value.reason == REASON_UNAVAILABLE
