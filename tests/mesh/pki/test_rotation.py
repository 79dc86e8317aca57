import datetime as dt
import os
import stat
from pathlib import Path

import pytest

from mesh.pki.authority import ROOT_LIFE
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.issuing import Issuing
from mesh.pki.refused import CertificateError
from mesh.pki.rotation import Rotation
from tests.mesh.pki.office import DAY, DOMAIN, Hands

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def rotation(tmp_path: Path) -> Rotation:
    file = AuthorityFile(tmp_path)
    file.made(DOMAIN, dt.datetime.now(dt.UTC))
    return Rotation(file=file, trust_domain=DOMAIN, life=DAY, clock=Hands())


def forward(rotation: Rotation, time: dt.timedelta) -> None:
    assert isinstance(rotation.clock, Hands)
    rotation.clock.forward(time.total_seconds())


def too_early(rotation: Rotation) -> None:
    before = rotation.file.path.read_text()
    with pytest.raises(CertificateError, match="--now does it all the same"):
        rotation.step()
    assert rotation.file.path.read_text() == before


def test_a_root_takes_over_in_three_steps(rotation: Rotation) -> None:
    (former,) = rotation.file.read(DOMAIN).roots
    assert "signs nothing yet" in rotation.step()
    first, new = rotation.file.read(DOMAIN).roots
    assert first.certificate == former.certificate
    too_early(rotation)
    forward(rotation, DAY / 2 + MINUTE)
    assert "the new root signs" in rotation.step()
    signing, other = rotation.file.read(DOMAIN).roots
    assert (signing.certificate, other.certificate) == (new.certificate, former.certificate)
    assert (signing.key is None, other.key is None) == (False, True)


def test_the_former_root_is_believed_for_as_long_as_its_leaves_live(rotation: Rotation) -> None:
    for _ in range(2):
        rotation.step(at_once=True)
    # The file's own time is the machine's, which has not moved.
    forward(rotation, DAY - MINUTE)
    too_early(rotation)
    forward(rotation, 2 * MINUTE)
    assert "that was the last step" in rotation.step()
    assert len(rotation.file.read(DOMAIN).roots) == 1


def test_who_knows_better_need_not_wait(rotation: Rotation) -> None:
    (former,) = rotation.file.read(DOMAIN).roots
    for _ in range(3):
        rotation.step(at_once=True)
    (only,) = rotation.file.read(DOMAIN).roots
    assert only.certificate != former.certificate
    assert stat.S_IMODE(rotation.file.path.stat().st_mode) == 0o600


def test_a_root_that_has_ended_signs_nothing_and_need_not_be_waited_for(
    rotation: Rotation, tmp_path: Path
) -> None:
    issuing = Issuing(
        file=rotation.file,
        trust_domain=DOMAIN,
        leaves=tmp_path / "leaves",
        life=DAY,
        clock=rotation.clock,
    )
    issuing.renew(["token"])
    (former,) = rotation.file.read(DOMAIN).roots
    forward(rotation, ROOT_LIFE + MINUTE)
    # The file was written just now; its own time is the machine's, which is not the clock's.
    os.utime(rotation.file.path, (issuing.clock.now_us() / 1_000_000,) * 2)
    for attempt in (lambda: issuing.renew(["token"]), lambda: issuing.issue("auth")):
        with pytest.raises(CertificateError, match="has ended; leaky pki rotate"):
            attempt()
    for said in ("signs nothing yet", "the new root signs", "the last step"):
        assert said in rotation.step()
        os.utime(rotation.file.path, (issuing.clock.now_us() / 1_000_000,) * 2)
    assert issuing.renew(["token"]) == ["token"]
    assert rotation.file.read(DOMAIN).roots != (former,)
