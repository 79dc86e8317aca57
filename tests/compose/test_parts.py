"""The parts in containers against those of compose/native, and what is told of them."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.compose.endpoints import asked_of_itself, doubles, inside, published, told
from tests.compose.files import COMPOSE, env_file, environment, image_version, native, ours, read

WATCHED = ("infra", "observability", "tracing")
PARTS = [f"{file}/{part}" for file in WATCHED for part in read(file)["services"]]
# The one that is there with Docker alone.
WITHOUT_A_SCRIPT = {"observability/grafana"}
# Nobody outside asks it: it is Prometheus that does.
NOT_PUBLISHED = {"observability/targets"}


def _script(name: str) -> Path:
    return COMPOSE / "native" / f"{name.partition('/')[2]}.sh"


WITH_A_SCRIPT = [name for name in PARTS if _script(name).exists()]


def _native_ports(name: str) -> set[str]:
    """The ports in the URLs that a part's script gives to others, unless it is told others."""
    file = _script(name).name
    ports = dict(re.findall(r"(\w+)=(\d+)", native(file, r"(?m)^ports=\((.*)\)$")))
    given = native(file, r"(?ms)^part_url\(\) \{(.*?)\}$")
    ports["port"] = next(iter(ports.values()))
    return {ports[variable] for variable in re.findall(r"127\.0\.0\.1:\$(\w+)", given)}


# Versions.


def test_the_parts_are_those_of_the_scripts_without_docker() -> None:
    version = r"</artifactId>\s*<version>([\d.]+)"
    assert image_version("infra/kafka") == native("kafka/pom.xml", rf"kafka_2\.13{version}")
    cassandra = native("cassandra/pom.xml", rf"cassandra-all{version}")
    assert image_version("infra/cassandra") == cassandra
    assert image_version("infra/consul") == native("consul/go.mod", r"hashicorp/consul v([\d.]+)")
    jaeger = native("jaeger/go.mod", r"jaegertracing/jaeger v([\d.]+)")
    assert image_version("tracing/jaeger") == jaeger
    postgresql = native("postgresql.sh", r"install_packages postgresql-(\d+)")
    assert image_version("infra/postgresql").startswith(f"{postgresql}.")


def test_redis_is_of_the_minor_version_that_debian_has() -> None:
    minor = native("README.md", r"\| Redis \| (\d+\.\d+) \| Debian")
    assert image_version("infra/redis").startswith(f"{minor}.")


# Ports.


def test_every_part_but_grafana_is_there_without_docker_too() -> None:
    assert set(PARTS) - set(WITH_A_SCRIPT) == WITHOUT_A_SCRIPT


@pytest.mark.parametrize("name", WITH_A_SCRIPT)
def test_a_part_is_where_its_script_has_it(name: str) -> None:
    outside = {port for owner, _, port, _ in published() if owner == name}
    assert (outside == set()) is (name in NOT_PUBLISHED)
    assert (outside or inside(name)) == _native_ports(name)


def test_kafka_sends_those_outside_to_the_port_that_is_published() -> None:
    listeners = environment(read("infra")["services"]["kafka"])
    (outside,) = (port for owner, _, port, _ in published() if owner == "infra/kafka")
    assert f"OUTSIDE://127.0.0.1:{outside}" in listeners["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"OUTSIDE://:{outside}" in listeners["KAFKA_LISTENERS"].split(",")


@pytest.mark.parametrize("name", [name for name in PARTS if name != "tracing/jaeger"])
def test_a_part_is_asked_for_its_health_where_it_listens(name: str) -> None:
    assert asked_of_itself(name) <= inside(name)


# Who is told of them.


def test_containers_ask_kafka_at_the_listener_that_answers_with_its_name(secrets: Path) -> None:
    listeners = environment(read("infra")["services"]["kafka"])["KAFKA_ADVERTISED_LISTENERS"]
    named = re.findall(r"://kafka:(\d+)", listeners)
    others = [one for one in told(secrets) if one[0] != "infra/kafka"]
    asked = {port for _, host, port in others if host == "kafka"}
    assert asked == set(named)


def test_every_url_is_of_a_container_that_listens_there(secrets: Path) -> None:
    listening = {name.partition("/")[2]: inside(name) for name in PARTS} | {"stubs": doubles()}
    found = list(told(secrets))
    assert [one for one in found if one[2] not in listening.get(one[1], ())] == []
    silent = {"grafana"}
    assert {host for _, host, _ in found} == listening.keys() - silent, "all that are looked for"


def test_every_database_in_a_url_is_made_for_that_role(secrets: Path) -> None:
    made = re.search(r"^for name in (.*); do$", _databases(), re.MULTILINE)
    assert made
    asked = set()
    for one in ours().values():
        for value in env_file(one, secrets).values():
            if value.startswith("postgresql://"):
                url = urlsplit(value)
                asked.add((url.username, url.path.removeprefix("/")))
    assert asked == {(f"leaky_{name}", f"leaky_{name}") for name in made[1].split()}


def _databases() -> str:
    return (COMPOSE / "postgresql" / "databases.sh").read_text()
