import datetime as dt
from pathlib import Path

import pytest

from mesh.pki.authority import ROOT_LIFE, new_root
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.issuing import Issuing
from mesh.pki.leaf import Leaf
from mesh.pki.leaf_folder import OWN, ROOTS, LeafFolder
from mesh.pki.refused import CertificateError
from tests.mesh.pki.office import DAY, DOMAIN, Hands

NAMES = ["token", "token.2", "auth"]


@pytest.fixture
def issuing(tmp_path: Path) -> Issuing:
    made = Issuing(
        file=AuthorityFile(tmp_path / "ca"),
        trust_domain=DOMAIN,
        leaves=tmp_path / "leaves",
        life=DAY,
        clock=Hands(),
    )
    made.file.made(DOMAIN, dt.datetime.now(dt.UTC))
    return made


def leaf(issuing: Issuing, name: str) -> Leaf:
    return LeafFolder(issuing.leaves / name).read()


def forward(issuing: Issuing, time: dt.timedelta) -> None:
    assert isinstance(issuing.clock, Hands)
    issuing.clock.forward(time.total_seconds())


def test_everybody_gets_one_and_keeps_it_for_half_of_its_life(issuing: Issuing) -> None:
    assert issuing.renew(NAMES) == NAMES
    assert [leaf(issuing, name).who.name for name in NAMES] == ["token", "token", "auth"]
    assert leaf(issuing, "token").key != leaf(issuing, "token.2").key
    first = leaf(issuing, "auth").chain
    forward(issuing, DAY / 2 - dt.timedelta(minutes=1))
    assert issuing.renew(NAMES) == []
    forward(issuing, dt.timedelta(minutes=2))
    assert issuing.renew(NAMES) == NAMES
    assert leaf(issuing, "auth").chain != first


def test_what_does_not_fit_any_more_is_replaced(issuing: Issuing) -> None:
    issuing.renew(NAMES)
    folders = {name: issuing.leaves / name for name in NAMES}
    (folders["token"] / OWN).write_text("broken")
    (folders["token.2"] / ROOTS).unlink()
    other = (folders["token.2"] / OWN).read_text()
    (folders["auth"] / OWN).write_text(other)
    assert issuing.renew(NAMES) == NAMES
    assert issuing.renew(NAMES) == []


def test_after_a_pause_that_was_too_long_all_are_new(issuing: Issuing) -> None:
    issuing.renew(NAMES)
    forward(issuing, 3 * DAY)
    assert issuing.renew(NAMES) == NAMES
    assert leaf(issuing, "auth").until.timestamp() > issuing.clock.now_us() / 1_000_000


def test_each_step_of_a_change_of_roots_reaches_everybody(issuing: Issuing) -> None:
    issuing.renew(NAMES)
    before = issuing.file.read(DOMAIN)
    both = before.with_next(new_root(DOMAIN, now=dt.datetime.now(dt.UTC)))
    after = both.switched()
    for step in (both, after, after.without_former()):
        issuing.file.replace(step)
        assert issuing.renew(NAMES) == NAMES
        assert issuing.renew(NAMES) == []
        assert leaf(issuing, "auth").roots == step.trusted


def test_near_the_end_of_the_root_leaves_are_not_made_again_and_again(issuing: Issuing) -> None:
    forward(issuing, ROOT_LIFE - DAY / 4)
    assert issuing.renew(NAMES) == NAMES
    assert issuing.renew(NAMES) == []


def test_one_may_be_asked_for_with_a_life_of_its_own(issuing: Issuing) -> None:
    folder = issuing.issue("operator", life=dt.timedelta(hours=1))
    assert folder.path == issuing.leaves / "operator"
    left = folder.read().until.timestamp() - issuing.clock.now_us() / 1_000_000
    assert left == pytest.approx(3600, abs=5)
    before = folder.read().chain
    assert issuing.issue("operator").read().chain != before


def test_its_age_is_judged_by_its_own_life(issuing: Issuing) -> None:
    issuing.issue("operator", life=DAY / 3)
    forward(issuing, DAY / 6 - dt.timedelta(minutes=1))
    assert issuing.renew(["operator"]) == []
    forward(issuing, dt.timedelta(minutes=2))
    assert issuing.renew(["operator"]) == ["operator"]


@pytest.mark.parametrize("name", ["", "../auth", "Token", "token.", "token.x", "a b"])
def test_what_is_no_name_is_refused(issuing: Issuing, name: str) -> None:
    with pytest.raises(CertificateError, match="is no name"):
        issuing.issue(name)
    with pytest.raises(CertificateError, match="is no name"):
        issuing.renew([name])


def test_what_cannot_be_written_keeps_nobody_else_from_a_new_one(issuing: Issuing) -> None:
    for name in ("token", "auth"):
        (issuing.leaves / name / ROOTS).mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as refused:
        issuing.renew(["auth", "token", "stubs", "token.2"])
    assert refused.value.filename == f"{issuing.leaves / 'auth'}, {issuing.leaves / 'token'}"
    assert [leaf(issuing, name).who.name for name in ("stubs", "token.2")] == ["stubs", "token"]


def test_without_a_ca_nothing_is_made(tmp_path: Path, issuing: Issuing) -> None:
    issuing.file.path.unlink()
    with pytest.raises(CertificateError, match="leaky pki init"):
        issuing.renew(NAMES)
    assert not (tmp_path / "leaves").exists()
