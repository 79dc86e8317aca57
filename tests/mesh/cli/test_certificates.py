"""What `leaky up` does about certificates, and what commands show of theirs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from mesh.cli.certificates import TURN_SECONDS, given
from mesh.cli.refusal import RefusedError
from mesh.pki.authority import new_root
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.leaf_folder import OWN, ROOTS, LeafFolder
from mesh.pki.refused import CertificateError
from mesh.settings import MeshSettings
from mesh.settings.source import load
from tests.mesh.pki.office import DOMAIN, Office

pytestmark = pytest.mark.anyio
NAMES = ("token", "token.2", "auth")


def settings(data: Path, env: Mapping[str, str] | None = None) -> MeshSettings:
    return load(
        MeshSettings, {"LEAKY_DATA": str(data), "LEAKY_PROFILE": "secure", **(env or {})}, {}
    )


class Turns:
    """Ends each pause when the test says so."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.told: list[str] = []
        self._go, self._waiting = asyncio.Event(), asyncio.Event()

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._waiting.set()
        await self._go.wait()
        self._go.clear()

    async def next(self) -> None:
        """One turn from beginning to end."""
        await self._waiting.wait()
        self._waiting.clear()
        self._go.set()
        await self._waiting.wait()


def leaf(data: Path, name: str) -> LeafFolder:
    return LeafFolder(data / "pki" / "leaves" / name)


def files(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


async def test_every_process_and_the_operator_has_one_before_anything_starts(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    async with given(settings(tmp_path), NAMES, told.append):
        for name in (*NAMES, "operator"):
            assert leaf(tmp_path, name).read().who.name == name.partition(".")[0]
    assert told == [f"no certificates yet: making a CA in {tmp_path / 'pki' / 'ca' / 'ca.pem'}"]
    before = leaf(tmp_path, "auth").read().chain
    async with given(settings(tmp_path), NAMES, told.append):
        assert leaf(tmp_path, "auth").read().chain == before
    assert len(told) == 1


async def test_no_process_is_given_the_key_of_the_ca(tmp_path: Path) -> None:
    async with given(settings(tmp_path), NAMES, lambda _line: None):
        key, _, _ = (tmp_path / "pki/ca/ca.pem").read_text().partition("-----BEGIN CERT")
        given_out = [path for path in files(tmp_path / "pki" / "leaves") if path.is_file()]
        assert len(given_out) == 2 * (len(NAMES) + 1)
        assert not [path for path in given_out if key in path.read_text()]


async def test_they_are_renewed_and_a_change_of_roots_reaches_them(tmp_path: Path) -> None:
    turns = Turns()
    async with given(settings(tmp_path), NAMES, turns.told.append, turns.pause):
        await turns.next()
        assert len(turns.told) == 1
        file = AuthorityFile(tmp_path / "pki" / "ca")
        both = file.read(DOMAIN).with_next(new_root(DOMAIN, now=Office(tmp_path).now))
        file.replace(both)
        await turns.next()
        assert leaf(tmp_path, "token.2").read().roots == both.trusted
        assert turns.told[1:] == ["new certificates for token, token.2, auth, operator"]
        assert turns.waits == [TURN_SECONDS] * 3


async def test_what_goes_wrong_later_is_said_once_and_tried_again(tmp_path: Path) -> None:
    turns = Turns()
    async with given(settings(tmp_path), NAMES, turns.told.append, turns.pause):
        ca = tmp_path / "pki" / "ca" / "ca.pem"
        ca.rename(tmp_path / "away")
        await turns.next()
        await turns.next()
        assert len(turns.told) == 2
        assert "cannot be renewed: there is no CA" in turns.told[1]
        (tmp_path / "away").rename(ca)
        (leaf(tmp_path, "auth").path / OWN).unlink()
        await turns.next()
        assert turns.told[2:] == ["new certificates for auth"]


async def test_a_folder_that_cannot_be_written_is_told_of_once(tmp_path: Path) -> None:
    turns = Turns()
    async with given(settings(tmp_path), NAMES, turns.told.append, turns.pause):
        roots = leaf(tmp_path, "auth").path / ROOTS
        roots.unlink()
        roots.mkdir()
        for _ in range(3):
            await turns.next()
        assert len(turns.told) == 2
        assert str(roots.parent) in turns.told[1]


async def test_what_stays_wrong_is_told_again_each_hour(tmp_path: Path) -> None:
    turns = Turns()
    async with given(settings(tmp_path), NAMES, turns.told.append, turns.pause):
        (tmp_path / "pki" / "ca" / "ca.pem").unlink()
        for _ in range(int(3600 / TURN_SECONDS)):
            await turns.next()
        assert len(turns.told) == 2
        await turns.next()
        assert turns.told[1] == turns.told[2]


async def test_in_local_and_where_somebody_else_gives_them_out_nothing_is_made(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    for env in (
        {"LEAKY_PROFILE": "local"},
        {"LEAKY_PKI_LEAVES": str(tmp_path / "given")},
    ):
        async with given(settings(tmp_path, env), NAMES, told.append):
            assert not files(tmp_path)
    assert told == []


async def test_a_ca_that_is_of_no_use_ends_the_start(tmp_path: Path) -> None:
    file = AuthorityFile(tmp_path / "pki" / "ca")
    file.path.parent.mkdir(parents=True)
    file.path.write_text("broken")
    with pytest.raises(CertificateError, match="is broken"):
        async with given(settings(tmp_path), NAMES, lambda _line: None):
            pytest.fail("it started")


async def test_a_disk_that_is_of_no_use_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "leaves").touch()
    with pytest.raises(RefusedError, match=r"no certificate can be written: .*leaves"):
        async with given(settings(tmp_path), NAMES, lambda _line: None):
            pytest.fail("it started")
