"""No file names a package registry: where packages come from is for who installs them to say."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A name that XML gives Maven's files; nobody asks it for anything.
_MAVEN = ("maven.apache", "org")
_NAMESPACE = f"http://{'.'.join(_MAVEN)}/POM/"
# In pieces, so that this file holds none of them.
HOSTS = (
    *(("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org")),
    *(("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"), ("jsr", "io")),
    *(("maven", "org"), _MAVEN, ("sonatype", "org"), ("plugins.gradle", "org")),
    *(("proxy.golang", "org"), ("sum.golang", "org"), ("crates", "io"), ("rubygems", "org")),
    *(("deb.debian", "org"), ("security.debian", "org"), ("archive.ubuntu", "com")),
    *(("docker", "io"), ("hub.docker", "com"), ("ghcr", "io"), ("quay", "io"), ("gcr", "io")),
)
_HOST = re.compile(
    "|".join(rf"(?<![\w-]){re.escape('.'.join(pieces))}(?![\w-])" for pieces in HOSTS),
    re.IGNORECASE,
)


def registries(text: str) -> list[str]:
    """Those that a text names."""
    return _HOST.findall(text.replace(_NAMESPACE, ""))


def test_no_file_names_a_package_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    assert ROOT / "Makefile" in paths
    files = [path for path in paths if path.is_file()]
    found = {str(path): registries(path.read_text(errors="replace")) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("pieces", HOSTS, ids=".".join)
def test_a_registry_is_found_alone_and_under_a_name_of_its_own(pieces: tuple[str, str]) -> None:
    host = ".".join(pieces)
    assert registries(f"--index-url https://{host}/simple") == [host]
    assert registries(f"FROM files.{host}/python:3") == [host]
    assert registries(f"my{host} my-{host} {host}tr") == []


def test_the_namespace_of_mavens_files_is_no_registry() -> None:
    assert registries(f'xmlns="{_NAMESPACE}4.0.0"') == []
    assert registries(_NAMESPACE.replace("POM", "repo")) != []
