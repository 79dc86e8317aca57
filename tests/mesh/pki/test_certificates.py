import asyncio
import datetime as dt
import errno
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from mesh.pki.certificates import LATE_SECONDS, POLL_SECONDS, Certificates
from mesh.pki.leaf import Leaf
from mesh.pki.leaf_folder import OWN
from mesh.pki.refused import CertificateError
from tests.mesh.pki.office import DAY, Office

pytestmark = pytest.mark.anyio


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def metric(which: str, *, what: str = "expiry") -> float:
    name = f"pki_certificate_{what}_timestamp_seconds"
    value = REGISTRY.get_sample_value(name, {"certificate": which})
    assert value is not None
    return value


def test_there_has_to_be_a_good_one_to_begin_with(office: Office) -> None:
    with pytest.raises(CertificateError, match="is not there"):
        office.certificates("token")
    office.issue("token", now=office.now - 2 * DAY)
    with pytest.raises(CertificateError, match="it has ended"):
        office.certificates("token")
    office.issue("auth", into="token")
    with pytest.raises(CertificateError, match=r"it is spiffe://.*/auth, not spiffe://.*/token"):
        office.certificates("token")


def test_a_new_one_is_taken_over_and_told_of_with_the_one_before(office: Office) -> None:
    office.issue("token")
    certificates, told = office.certificates("token"), list[Leaf]()
    certificates.on_change(told.append)
    before = certificates.current
    certificates.look()
    assert told == []
    office.issue("token", 2 * DAY)
    certificates.look()
    assert certificates.current.until > before.until
    assert told == [before]


def test_new_roots_alone_are_taken_over(office: Office) -> None:
    folder = office.issue("token")
    certificates = office.certificates("token")
    both = office.authority.trusted + Office(office.path).authority.trusted
    folder.write((folder.path / OWN).read_text(), both)
    certificates.look()
    assert certificates.current.roots == both


def test_a_bad_one_is_refused_and_said_once_and_the_good_one_stays(office: Office) -> None:
    folder = office.issue("token")
    certificates = office.certificates("token")
    good = certificates.current
    with capture_logs() as logs:
        for text in ("garbage", (office.issue("auth").path / OWN).read_text()):
            folder.write(text, good.roots)
            for _ in range(3):
                certificates.look()
            assert certificates.current is good
        (folder.path / OWN).write_bytes(b"\xff\xfe")
        certificates.look()
        (folder.path / OWN).unlink()
        certificates.look()
    assert certificates.current is good
    warned = [log for log in logs if log["log_level"] == "warning"]
    assert len(warned) == 4
    assert "PRIVATE" not in repr(logs)
    office.issue("token")
    certificates.look()
    assert certificates.current is not good


def test_one_that_becomes_good_as_it_is_is_taken_over_then(office: Office) -> None:
    office.issue("token")
    certificates, behind = office.certificates("token"), dt.timedelta(minutes=7)
    before = certificates.current
    office.issue("token", now=office.now + behind)
    with capture_logs() as logs:
        certificates.look()
        certificates.look()
    assert certificates.current is before
    assert ["it begins at" in log["error"] for log in logs] == [True]
    office.clock.forward(behind.total_seconds())
    certificates.look()
    assert certificates.current is not before


def test_one_that_cannot_be_read_for_a_moment_is_read_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.issue("token")
    certificates = office.certificates("token")
    before = certificates.current
    office.issue("token")

    def full(path: Path) -> str:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", full)
        certificates.look()
    assert certificates.current is before
    certificates.look()
    assert certificates.current is not before


def test_one_that_nobody_renews_is_told_of_each_hour(office: Office) -> None:
    office.issue("token")
    certificates = office.certificates("token")
    with capture_logs() as logs:
        office.clock.forward((DAY * 3 / 4).total_seconds() - 60)
        certificates.look()
        assert logs == []
        for seconds in (120, 60, LATE_SECONDS):
            office.clock.forward(seconds)
            certificates.look()
        assert [log["event"] for log in logs] == ["nobody renews the certificate"] * 2
        office.issue("token")
        certificates.look()
        office.clock.forward(LATE_SECONDS)
        certificates.look()
    assert [log["log_level"] for log in logs] == ["warning", "warning", "info"]


def test_clocks_may_be_some_minutes_apart(office: Office) -> None:
    office.issue("token", now=office.now + dt.timedelta(minutes=4))
    assert office.certificates("token").current.who == office.who("token")


def test_how_much_is_left_of_a_life_can_be_said_whatever_its_length(office: Office) -> None:
    for life in (DAY, dt.timedelta(hours=1)):
        now = office.now
        office.issue("token", life, now=now)
        certificates = office.certificates("token")
        issued = metric("leaf", what="issued")
        # Certificates know whole seconds.
        assert issued == int(now.timestamp())
        assert metric("leaf") - issued == certificates.current.life.total_seconds()
    root = office.authority.signing.certificate
    since = (root.not_valid_before_utc + dt.timedelta(minutes=5)).timestamp()
    assert metric("root", what="issued") == since


def test_when_they_end_is_told_as_a_metric(office: Office) -> None:
    office.issue("token")
    certificates = office.certificates("token")
    assert metric("leaf") == certificates.current.until.timestamp()
    root = office.authority.signing.certificate
    assert metric("root") == root.not_valid_after_utc.timestamp()
    office.issue("token", dt.timedelta(hours=1))
    certificates.look()
    assert metric("leaf") == certificates.current.until.timestamp()
    assert certificates.seconds_left(certificates.current) == pytest.approx(3600, abs=5)


async def test_the_folder_is_looked_at_all_the_time(office: Office) -> None:
    office.issue("token")
    certificates: Certificates = office.certificates("token")
    waits: list[float] = []
    turn = asyncio.Event()

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            turn.set()
            await asyncio.Event().wait()
        office.issue("token", 2 * DAY)

    before = certificates.current
    following = asyncio.ensure_future(certificates.follow(pause))
    await turn.wait()
    following.cancel()
    assert waits == [POLL_SECONDS] * 2
    assert certificates.current is not before
