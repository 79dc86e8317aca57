import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mesh.cli.doctor.case import open_case
from mesh.cli.doctor.certificates import check
from mesh.cli.doctor.finding import Finding, Level
from mesh.cli.services import NAMES
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.leaf_folder import OWN
from tests.mesh.pki.office import DAY, Office

pytestmark = pytest.mark.anyio
Look = Callable[..., Any]
SECURE = {"LEAKY_PROFILE": "secure"}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    async def examined(env: Mapping[str, str] = SECURE) -> list[Finding]:
        case, problems = open_case({"LEAKY_DATA": str(tmp_path), **env}, NAMES)
        assert not problems
        return await check(case)

    return examined


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Everybody has a certificate of the CA in the data folder."""
    made = Office(tmp_path / "pki" / "leaves")
    file = AuthorityFile(tmp_path / "pki" / "ca")
    made.authority = file.made(made.domain, made.now)
    for name in NAMES:
        made.issue(name)
    return made


def wrong(found: list[Finding]) -> list[tuple[Level, str]]:
    return [(one.level, one.subject) for one in found if one.level is not Level.OK]


async def test_in_local_nobody_wants_one(look: Look) -> None:
    assert await look({"LEAKY_PROFILE": "local"}) == []


async def test_before_the_first_start_there_is_none_and_nothing_wrong(look: Look) -> None:
    (found,) = await look()
    assert (found.level, found.subject) == (Level.OK, "certificates")


@pytest.mark.usefixtures("office")
async def test_all_is_well(look: Look) -> None:
    found = await look()
    assert wrong(found) == []
    assert len(found) == 1 + len(NAMES)
    assert any("spiffe://leaky.internal/token, good until" in one.what for one in found)


async def test_one_that_is_missing_where_somebody_gives_them_out(
    look: Look, office: Office
) -> None:
    (office.folder("token").path / OWN).unlink()
    assert wrong(await look()) == [(Level.FAIL, "token's certificate")]
    elsewhere = {**SECURE, "LEAKY_PKI_LEAVES": str(office.path / "nowhere")}
    assert wrong(await look(elsewhere)) == [(Level.FAIL, f"{name}'s certificate") for name in NAMES]


async def test_what_is_of_no_use_says_why_and_what_to_do(look: Look, office: Office) -> None:
    office.issue("token", now=office.now - 2 * DAY)
    office.issue("auth", trusted=Office(office.path).authority.trusted)
    key = (office.folder("gateway").path / OWN).read_text().partition("-----BEGIN CERT")[0]
    certificate = (office.folder("stubs").path / OWN).read_text().partition("-----BEGIN CERT")[2]
    (office.folder("gateway").path / OWN).write_text(key + "-----BEGIN CERT" + certificate)
    said = {one.subject: one for one in await look() if one.level is Level.FAIL}
    assert said.keys() == {f"{name}'s certificate" for name in ("token", "auth", "gateway")}
    assert "it has ended" in said["token's certificate"].what
    assert "no root that is believed" in said["auth's certificate"].what
    assert "its key is not there, or another's" in said["gateway's certificate"].what
    assert "leaky pki issue token" in said["token's certificate"].advice
    assert "PRIVATE" not in repr(said)


async def test_one_that_nobody_renews_is_told_of_in_time(look: Look, office: Office) -> None:
    office.issue("token", now=office.now - DAY * 0.7)
    assert wrong(await look()) == []
    office.issue("token", now=office.now - DAY * 0.8)
    assert wrong(await look()) == [(Level.WARN, "token's certificate")]


async def test_a_root_that_ends_soon_or_has_ended(
    look: Look, office: Office, tmp_path: Path
) -> None:
    for age, level in ((3600, Level.WARN), (3660, Level.FAIL)):
        file = AuthorityFile(tmp_path / "pki" / "ca")
        file.path.unlink()
        file.made(office.domain, office.now - age * DAY)
        assert (level, "CA, signs") in wrong(await look())


async def test_a_ca_of_another_trust_domain(look: Look, office: Office) -> None:
    assert office
    found = await look({**SECURE, "LEAKY_PKI_TRUST_DOMAIN": "other.internal"})
    assert wrong(found) == [
        (Level.FAIL, subject) for subject in ("CA", *(f"{name}'s certificate" for name in NAMES))
    ]


async def test_anothers_certificate(look: Look, office: Office) -> None:
    office.issue("auth", into="token")
    (found,) = [one for one in await look() if one.level is Level.FAIL]
    assert (found.subject, found.what) == (
        "token's certificate",
        "it is spiffe://leaky.internal/auth",
    )


async def test_a_key_that_others_can_read(look: Look, office: Office) -> None:
    path = office.folder("token").path / OWN
    path.chmod(0o644)
    assert wrong(await look()) == [], "behind a closed folder its mode is nobody's business"
    os.chmod(path.parent, 0o755)  # noqa: S103, PTH101 as somebody might have done
    assert wrong(await look()) == [(Level.WARN, str(path))]
