"""Which ports containers have, and which of other containers' they are told of."""

import re
from collections.abc import Iterator
from pathlib import Path

from mesh.cli.services import settings_models
from mesh.settings.source import load
from tests.compose.files import COMPOSE, env_file, environment, read, services

# Other services' names, in URLs and in what Kafka, Prometheus and Grafana are told.
_ENDPOINT = re.compile(r"(?:^|[@/\"])([a-z][a-z-]*):(\d+)\b", re.MULTILINE)
_ITSELF = re.compile(r"127\.0\.0\.1[:/](\d+)")
_OVERLAYS = ("traced", "traced-embedded")
_FILES = ("prometheus/prometheus.yml", "grafana/provisioning/datasources/prometheus.yaml")


def published() -> Iterator[tuple[str, str, str, str]]:
    """Of each port: its container, the address, the port there and the container's own."""
    for name, one in services().items():
        for port in one.get("ports", ()):
            address, outside, inside = port.rsplit(":", 2)
            yield name, address, outside, inside


def inside(name: str) -> set[str]:
    """The ports on which this container listens, as far as the files say."""
    one = services()[name]
    told = {port for owner, _, _, port in published() if owner == name}
    told |= set(re.findall(r":(\d+)", environment(one).get("KAFKA_LISTENERS", "")))
    words = one.get("command", ())
    return told | {word.rpartition(":")[2] for word in words if word.startswith("--listen=")}


def doubles() -> set[str]:
    """The ports of svc_stubs, which no file publishes beside the real parts."""
    stubs = load(settings_models()["stubs"], {}, {}).stubs
    return {str(one.http_port) for one in (stubs.openai, stubs.gemini, stubs.qwen)}


def told(secrets: Path) -> Iterator[tuple[str, str, str]]:
    """Every host and port that a file has for somebody, with who that is."""
    for name, one in services().items():
        known = {**env_file(one, secrets), **environment(one)}.values()
        yield from _endpoints(name, *known, *one.get("command", ()))
    for overlay in _OVERLAYS:
        for name, one in read(overlay)["services"].items():
            yield from _endpoints(f"{overlay}/{name}", *environment(one).values())
    for path in _FILES:
        yield from _endpoints(path, (COMPOSE / path).read_text())


def asked_of_itself(name: str) -> set[str]:
    """The ports that a container's health check asks."""
    test = services()[name]["healthcheck"].get("test", ())
    return {port for word in test for port in _ITSELF.findall(word)}


def _endpoints(name: str, *texts: str) -> Iterator[tuple[str, str, str]]:
    for text in texts:
        for host, port in _ENDPOINT.findall(text):
            yield name, host, port
