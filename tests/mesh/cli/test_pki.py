"""`leaky pki`, in this process but for its loop."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from mesh.cli.main import main
from mesh.pki.authority_file import AuthorityFile
from mesh.pki.leaf_folder import OWN, LeafFolder
from tests.mesh.cli.conftest import Leaky, clean_environment
from tests.mesh.cli.running import system_environment

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    umask: None,
) -> Run:
    """What the command ends with and prints, on a data folder of the test's own."""
    assert umask is None
    for key in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(key)
    monkeypatch.setenv("LEAKY_DATA", str(tmp_path))

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        with monkeypatch.context() as patched:
            for key, text in (env or {}).items():
                patched.setenv(key, text)
            patched.setattr(sys, "argv", ["leaky", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return run


@pytest.fixture
def pki(command: Run) -> Run:
    return partial(command, "pki")


def chain(folder: Path) -> str:
    return LeafFolder(folder).read().chain


def test_a_deployment_gets_its_certificates(pki: Run, tmp_path: Path) -> None:
    assert pki("issue", "token")[0] == 2, "there is no CA yet"
    ca = tmp_path / "pki" / "ca" / "ca.pem"
    assert pki("init") == (0, f"made a CA in {ca}\n", "")
    assert pki("init") == (0, f"there is a CA in {ca}\n", "")
    code, out, _ = pki("issue", "token", "token.2", "operator")
    assert code == 0
    leaves = tmp_path / "pki" / "leaves"
    for line, name in zip(out.splitlines(), ("token", "token.2", "operator"), strict=True):
        assert line.startswith(f"{name}: {leaves / name}, until ")
    assert str(LeafFolder(leaves / "token.2").read().who) == "spiffe://leaky.internal/token"
    for path in (tmp_path / "pki").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_certificate_may_go_elsewhere_and_live_for_another_time(pki: Run, tmp_path: Path) -> None:
    pki("init")
    code, _, _ = pki("issue", "operator", "--ttl", "1h", "--out", str(tmp_path / "ada"))
    assert code == 0
    leaf = LeafFolder(tmp_path / "ada" / "operator").read()
    assert leaf.until.timestamp() == pytest.approx(time.time() + 3600, abs=10)
    assert not (tmp_path / "pki" / "leaves").exists()


def test_settings_say_where_and_for_which_domain(pki: Run, tmp_path: Path) -> None:
    env = {
        "LEAKY_PKI_CA": str(tmp_path / "safe"),
        "LEAKY_PKI_LEAVES": str(tmp_path / "given"),
        "LEAKY_PKI_TRUST_DOMAIN": "example.org",
        "LEAKY_PKI_LEAF_TTL": "10m",
    }
    pki("init", env=env)
    pki("issue", "auth", env=env)
    leaf = LeafFolder(tmp_path / "given" / "auth").read()
    assert str(leaf.who) == "spiffe://example.org/auth"
    assert leaf.until.timestamp() == pytest.approx(time.time() + 600, abs=10)
    code, _, err = pki("issue", "auth", env={**env, "LEAKY_PKI_TRUST_DOMAIN": "else.org"})
    assert (code, "pki.trust-domain" in err) == (2, True)


def test_what_is_there_is_shown_and_what_is_wrong_with_it(pki: Run, tmp_path: Path) -> None:
    assert pki("show")[0] == 1
    pki("init")
    assert pki("show")[0] == 1
    pki("issue", "token", "auth")
    code, out, _ = pki("show")
    assert code == 0
    assert out.count("good") == 3
    assert "spiffe://leaky.internal/token" in out
    (tmp_path / "pki" / "leaves" / "token" / OWN).write_text("broken")
    code, out, _ = pki("show")
    assert (code, out.count("good")) == (1, 2)


def test_only_what_is_due_is_renewed(pki: Run, tmp_path: Path) -> None:
    pki("init")
    assert pki("renew", "token", "auth")[1] == "token: renewed\nauth: renewed\n"
    token, auth = (tmp_path / "pki" / "leaves" / name for name in ("token", "auth"))
    before = chain(token), chain(auth)
    assert pki("renew")[:2] == (0, "")
    assert (chain(token), chain(auth)) == before
    # Half of its own life is what counts.
    pki("issue", "token", "--ttl", "8h")
    assert pki("renew")[:2] == (0, "")
    (token / OWN).unlink()
    assert pki("renew", "token", "auth")[1] == "token: renewed\n"
    assert chain(auth) == before[1]


def test_a_root_takes_over(pki: Run, tmp_path: Path) -> None:
    pki("init")
    pki("issue", "token")
    file = AuthorityFile(tmp_path / "pki" / "ca")
    former = file.read("leaky.internal").trusted
    assert "another root is believed" in pki("rotate")[1]
    code, _, err = pki("rotate")
    assert (code, "--now" in err) == (2, True)
    for said in ("the new root signs", "believed no more"):
        assert pki("renew")[1] == "token: renewed\n"
        assert said in pki("rotate", "--now")[1]
    assert pki("renew")[1] == "token: renewed\n"
    assert file.read("leaky.internal").trusted != former
    assert pki("show")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("issue",),
        ("issue", "../auth"),
        ("issue", "Token"),
        ("issue", "token", "--ttl", "soon"),
        ("issue", "token", "--ttl", "0s"),
        ("issue", "token", "--ttl", "9999999999d"),
        ("renew", "--every", "never"),
        ("renew", "--every", "361m"),
        ("renew", "a b"),
        ("rotate", "twice"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(pki: Run, arguments: tuple[str, ...]) -> None:
    pki("init")
    code, out, err = pki(*arguments)
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_a_folder_that_cannot_be_written_is_named(pki: Run, tmp_path: Path) -> None:
    pki("init")
    (tmp_path / "file").touch()
    code, _, err = pki("issue", "token", "--out", str(tmp_path / "file"))
    assert code == 1
    assert str(tmp_path / "file") in err


@pytest.mark.parametrize("arguments", [("outbox", "parked"), ("reconcile",)])
def test_in_secure_a_command_without_a_certificate_says_how_to_get_one(
    command: Run, arguments: tuple[str, ...]
) -> None:
    code, _, err = command(*arguments, env={"LEAKY_PROFILE": "secure"})
    assert code == 2
    assert "leaky pki issue operator makes one" in err


def test_in_secure_a_service_without_a_certificate_says_how_to_get_one(
    leaky: Leaky, tmp_path: Path
) -> None:
    ports = {k: v for k, v in system_environment(tmp_path).items() if k.startswith("LEAKY_")}
    refused = leaky("serve", "token", **ports, LEAKY_PROFILE="secure")
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("leaky: ")]
    assert "secure wants a certificate of the mesh" in line
    assert line.endswith("leaky pki issue token makes one")
    assert not (tmp_path / "token.db").exists()


def test_the_loop_renews_and_outlives_a_ca_that_is_away(pki: Run, tmp_path: Path) -> None:
    pki("init")
    leaf = LeafFolder(tmp_path / "pki" / "leaves" / "token")
    ca = tmp_path / "pki" / "ca" / "ca.pem"
    process = subprocess.Popen(
        [sys.executable, "-m", "mesh.cli", "pki", "renew", "token", "--every", "1s"],
        env=clean_environment() | {"LEAKY_DATA": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _until(leaf.exists)
        ca.rename(tmp_path / "away")
        assert process.stderr is not None
        assert "there is no CA" in process.stderr.readline()
        (leaf.path / OWN).unlink()
        (tmp_path / "away").rename(ca)
        _until(leaf.exists)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
