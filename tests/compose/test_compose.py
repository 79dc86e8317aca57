"""The compose files against docker-compose, the settings, compose/native and each other.

There is no engine here to run them on, so what can be compared is compared.
"""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from mesh.cli.main import app
from mesh.cli.services import NAMES as SERVICES
from mesh.cli.services import settings_models
from mesh.settings import MeshSettings
from mesh.settings.names import names_of
from mesh.settings.source import load
from tests.compose.endpoints import published
from tests.compose.files import (
    COMBINATIONS,
    COMPOSE,
    IMAGE,
    NAMES,
    ROOT,
    env_file,
    environment,
    ours,
    read,
    services,
)
from tests.parts.urls import POSTGRESQL, url

_URL_WITH_PASSWORD = re.compile(r"://[^/\s:@]*:[^@\s]+@")
_SECRET = re.compile(r"(?i)password|secret(?!s)|token_file|_token$|credentials")
every = pytest.mark.parametrize("name", services())
each_of_ours = pytest.mark.parametrize("name", ours())


# Where the real parts run, docker-compose has to be there too.
@pytest.mark.skipif(
    shutil.which("docker-compose") is None and not url(POSTGRESQL),
    reason="docker-compose is missing",
)
@pytest.mark.parametrize("names", COMBINATIONS, ids="+".join)
def test_docker_compose_takes_them(names: tuple[str, ...], secrets: Path) -> None:
    files = [argument for name in names for argument in ("-f", f"compose/{name}.yaml")]
    done = subprocess.run(  # noqa: S603
        ["docker-compose", *files, "config"],  # noqa: S607 where Debian puts it
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LEAKY_SECRETS": str(secrets)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for service in read(names[-1])["services"]:
        assert f"\n  {service}:\n" in done.stdout


# Secrets.


def test_secrets_are_made_once_and_for_their_owner_alone(secrets: Path) -> None:
    assert secrets.stat().st_mode & 0o777 == 0o700
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    again = subprocess.run(  # noqa: S603
        [COMPOSE / "secrets.sh", secrets], check=True, capture_output=True, text=True
    )
    assert again.stdout == ""
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert len(set(before.values())) == len(before) - 1, "analytics.env is stubs.env, no more"


def test_what_is_mounted_or_read_is_made(secrets: Path) -> None:
    made = {path.name for path in secrets.iterdir()}
    wanted = re.findall(
        r"\$\{LEAKY_SECRETS:-\./secrets\}/([\w.-]+)",
        "".join((COMPOSE / f"{name}.yaml").read_text() for name in NAMES),
    )
    assert wanted
    assert set(wanted) <= made
    ignored = subprocess.run(
        ["git", "check-ignore", "compose/secrets/redis"],  # noqa: S607
        cwd=ROOT,
        check=False,
        capture_output=True,
    )
    assert ignored.returncode == 0


def test_what_services_mount_is_declared() -> None:
    for name in NAMES:
        file = read(name)
        used = {secret for one in file["services"].values() for secret in one.get("secrets", ())}
        assert used == set(file.get("secrets", {})), name


def _texts(tree: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _texts(value, str(name))
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value, key)
    else:
        yield key, str(tree)


def test_no_password_is_in_a_file() -> None:
    for path in (COMPOSE / "Dockerfile", COMPOSE / ".env", *COMPOSE.glob("[!n]*/**/*.*")):
        assert not _URL_WITH_PASSWORD.search(path.read_text()), path
    for path in (*COMPOSE.glob("*.yaml"), *COMPOSE.glob("[!n]*/**/*.y*ml")):
        for key, text in _texts(yaml.safe_load(path.read_text())):
            assert not _URL_WITH_PASSWORD.search(text), (path, key)
            if _SECRET.search(key):
                assert text.startswith(("/run/secrets/", "/tokens/")), (path, key)


# Settings.


@each_of_ours
def test_every_variable_is_a_setting_that_its_service_takes(name: str, secrets: Path) -> None:
    env = {**env_file(ours()[name], secrets), **environment(ours()[name])}
    assert all(isinstance(value, str) for value in env.values())
    patterns = [
        setting.env_pattern for model in settings_models().values() for setting in names_of(model)
    ]
    unknown = [one for one in env if not any(pattern.fullmatch(one) for pattern in patterns)]
    assert unknown == []
    for model in settings_models().values():
        load(model, env, {})


@pytest.mark.parametrize("file", ["compose", "full"])
def test_every_service_runs_and_asks_for_its_own_health(file: str) -> None:
    runs = []
    for one in read(file)["services"].values():
        match one.get("command"):
            case ["serve", service]:
                runs.append(service)
                assert one["healthcheck"]["test"] == ["CMD", "leaky", "probe", service]
    assert set(runs) == set(SERVICES)
    assert runs.count("token") == (2 if file == "full" else 1)


@each_of_ours
def test_a_command_is_one_that_there_is(name: str) -> None:
    words = ours()[name]["command"]
    if "entrypoint" in ours()[name]:
        assert words == []
        return
    command = typer.main.get_command(app)
    while isinstance(command, typer.core.TyperGroup):
        command, words = command.commands[words[0]], words[1:]
    # Raises for an option that there is not, and for one that is missing.
    assert command.make_context(name, words, resilient_parsing=False)


def test_ports_are_published_on_loopback_alone() -> None:
    assert {address for _, address, _, _ in published()} == {"127.0.0.1"}


def test_the_ports_of_services_are_the_settings_defaults() -> None:
    settings = {name: load(model, {}, {}) for name, model in settings_models().items()}
    rest = {getattr(settings[name], name).http_port for name in SERVICES if name != "stubs"}
    stubs = settings["stubs"].stubs
    rest |= {stubs.qwen.http_port, stubs.gemini.http_port, stubs.openai.http_port}
    mapped = {
        int(outside): int(inside)
        for name, _, outside, inside in published()
        if name == "compose/network"
    }
    assert mapped == {port: port for port in rest}
    edge = str(settings["gateway"].gateway.http_port)
    assert ("full/gateway", "127.0.0.1", edge, edge) in published()
    exposed = re.search(r"EXPOSE (.*)", (COMPOSE / "Dockerfile").read_text())
    grpc = {getattr(settings[name], name).grpc_port for name in SERVICES}
    assert exposed
    assert {int(port) for port in exposed[1].split()} == rest | grpc


def test_the_doubles_are_where_the_consumer_looks_for_them() -> None:
    stubs = load(settings_models()["stubs"], {}, {}).stubs
    env = environment(ours()["full/token-1"])
    for provider in ("openai", "gemini", "qwen"):
        port = getattr(stubs, provider).http_port
        assert env[f"LEAKY_PROVIDERS_{provider.upper()}_BASE_URL"] == f"http://stubs:{port}"


def test_prometheus_learns_from_consul_whom_to_ask() -> None:
    config = yaml.safe_load((COMPOSE / "prometheus/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    (source,) = job["http_sd_configs"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/actuator"
    targets = services()["observability/targets"]
    _, _, port = next(w for w in targets["command"] if w.startswith("--listen=")).rpartition(":")
    assert source["url"] == f"http://targets:{port}/targets"


# Versions.


@every
def test_images_are_pinned(name: str) -> None:
    repository, _, tag = services()[name]["image"].partition(":")
    assert re.search(r"\d+\.\d+", tag), repository
    assert "latest" not in tag


def test_the_image_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {one["image"] for one in ours().values()} == {f"{IMAGE}:{version}"}


def test_the_images_python_is_one_that_the_project_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    images = re.findall(r"^FROM python:(\d+)\.(\d+)\.\d+-slim", _dockerfile(), re.MULTILINE)
    assert len(images) == 2
    assert len(set(images)) == 1
    least = tuple(int(part) for part in project["requires-python"].removeprefix(">=").split("."))
    assert tuple(map(int, images[0])) >= least


# What a container may do.

# Their entry points write their configuration beside the program.
WRITES_ITS_ROOT = {"infra/kafka", "infra/cassandra"}
ENDS = {"full/migrate", "full/consul-bootstrap", "full/pki-init"}


@every
def test_a_container_is_bounded_and_has_no_rights(name: str) -> None:
    one = services()[name]
    assert one["cpus"] > 0
    assert re.fullmatch(r"\d+[mg]", one["mem_limit"])
    assert one["pids_limit"] > 0
    assert one["cap_drop"] == ["ALL"]
    assert "cap_add" not in one
    assert "privileged" not in one
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert not one["user"].startswith(("0", "root"))
    assert one.get("read_only", False) is (name not in WRITES_ITS_ROOT)
    assert one["logging"]["options"].keys() == {"max-size", "max-file"}


@every
def test_a_container_starts_again_and_says_how_it_is(name: str) -> None:
    one = services()[name]
    assert one["restart"] == ("on-failure" if name in ENDS else "unless-stopped")
    assert (one["healthcheck"].get("disable") is True) is (name in ENDS)
    assert name in ENDS or one["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@every
def test_a_container_waits_for_what_there_is(name: str) -> None:
    own = read(name.partition("/")[0])["services"]
    there = own.keys() | read("infra")["services"].keys()
    if name.startswith("observability/"):
        there |= read("full")["services"].keys()
    waits = services()[name].get("depends_on", {})
    assert waits.keys() <= there
    for other, how in waits.items():
        if how["condition"] == "service_completed_successfully":
            assert f"full/{other}" in ENDS


# The image.


def _dockerfile() -> str:
    return (COMPOSE / "Dockerfile").read_text().replace("\\\n", " ")


def test_what_is_copied_is_there_and_not_ignored() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", _dockerfile(), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    taken = {
        line.removeprefix("!")
        for line in (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    missing = [one for one in sources if not any(Path(one).match(pattern) for pattern in taken)]
    assert missing == []


def test_every_package_is_in_the_image() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages
    for package in packages:
        assert f"COPY {package} ./{package}\n" in (COMPOSE / "Dockerfile").read_text()


def test_the_image_runs_as_nobody_in_particular_and_ends_in_order() -> None:
    text = _dockerfile()
    last = text[text.rindex("FROM ") :]
    assert "USER 10001:10001" in last
    assert {one["user"] for one in ours().values()} == {"10001:10001"}
    assert "STOPSIGNAL SIGTERM" in last
    for instruction in ("ENTRYPOINT", "CMD", "HEALTHCHECK .* CMD"):
        match = re.search(rf"^{instruction} (\[.*\])$", last, re.MULTILINE)
        assert match, instruction
        assert json.loads(match[1])
    assert "--require-hashes" in text
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize(("overlay", "base"), [("traced", "full"), ("traced-embedded", "compose")])
def test_what_is_traced_is_every_service_and_goes_to_the_jaeger_beside_it(
    overlay: str, base: str
) -> None:
    traced = read(overlay)["services"]
    serving = {
        name
        for name, one in read(base)["services"].items()
        if one.get("command", [])[:1] == ["serve"]
    }
    assert set(traced) == serving
    for one in traced.values():
        settings = load(MeshSettings, one["environment"], {})
        assert settings.tracing.endpoint == "http://jaeger:4317"
        assert "127.0.0.1:4317:4317" in services()["tracing/jaeger"]["ports"]
