"""A corner of the real parts for one system, with a Consul of its own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from mesh.cli.services import NAMES
from mesh.consul.token import read_token, token_file
from tests.parts import cassandra, native, postgresql, redis
from tests.parts.urls import CASSANDRA, CONSUL, KAFKA, POSTGRESQL, REDIS, url

ROOT = Path(__file__).resolve().parents[2]
ALL = (POSTGRESQL, REDIS, KAFKA, CASSANDRA, CONSUL)
# What `leaky up` is told on them.
INSTANCES = ("token=2", "gateway=2")
STORES_IN_POSTGRESQL = ("auth", "token", "analytics", "stubs")
# What two instances of a service share; usage goes straight to svc_analytics without the others.
SHARED = (POSTGRESQL, REDIS, CONSUL)


def there(parts: Iterable[str] = ALL) -> bool:
    """Whether all of them run."""
    return all(url(part) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """What a system is told in its environment, and the agent that it shares with nobody."""

    env: Mapping[str, str]
    consul: native.NativePart

    @property
    def operator(self) -> Mapping[str, str]:
        """What lets a command do everything in Consul."""
        token = Path(self.consul.variables["PARTS_CONSUL_TOKEN_FILE"]).read_text().strip()
        return {"CONSUL_HTTP_TOKEN": token}


@contextmanager
def corner(parts: Iterable[str] = ALL) -> Iterator[Corner]:
    """A corner of all parts, or of `SHARED` ones, that is ready for a system; gone afterwards.

    Consul's names are the services' own, so each system has an agent to itself.
    """
    mark = uuid4().hex[:12]
    with ExitStack() as stack:
        consul = stack.enter_context(native.native_part("consul"))
        consul.start()
        stack.callback(_drop, mark)
        env = {
            "LEAKY_REGISTRY": consul.url,
            **_databases(mark),
            "LEAKY_TOKEN_BUCKET_STORE": stack.enter_context(redis.corner()),
            "LEAKY_GATEWAY_RATE_LIMIT_STORE": stack.enter_context(redis.corner()),
            **(_events(mark, stack) if KAFKA in parts else {}),
        }
        yield Corner(env={**env, **_prepared(env, consul)}, consul=consul)


def _events(mark: str, stack: ExitStack) -> dict[str, str]:
    # Made by `leaky migrate`. Each keyspace that stays costs Cassandra a memtable for each table.
    stack.callback(cassandra.drop, f"leaky_{mark}")
    return {
        "LEAKY_TOKEN_USAGE_SINK": url(KAFKA),
        "LEAKY_TOKEN_USAGE_TOPIC": f"usage-{mark}",
        "LEAKY_TOKEN_SAGA_TOPIC": f"purchases-{mark}",
        "LEAKY_ANALYTICS_USAGE_SOURCE": url(KAFKA),
        "LEAKY_ANALYTICS_USAGE_TOPIC": f"usage-{mark}",
        "LEAKY_ANALYTICS_STORE": f"{url(CASSANDRA)}/leaky_{mark}",
    }


def _databases(mark: str) -> dict[str, str]:
    for name in STORES_IN_POSTGRESQL:
        asyncio.run(postgresql.execute(postgresql.at("postgres"), f"CREATE DATABASE {name}_{mark}"))
    return {
        f"LEAKY_{name.upper()}_STORE": postgresql.at(f"{name}_{mark}")
        for name in STORES_IN_POSTGRESQL
    }


def _drop(mark: str) -> None:
    for name in STORES_IN_POSTGRESQL:
        asyncio.run(postgresql.drop(f"{name}_{mark}"))


def _prepared(env: Mapping[str, str], consul: native.NativePart) -> dict[str, str]:
    tokens = consul.folder / "tokens"
    _leaky(
        env,
        *("consul", "bootstrap", "--registry", consul.url, "--folder", str(ROOT / "consul")),
        *("--token-file", consul.variables["PARTS_CONSUL_TOKEN_FILE"], "--out", str(tokens)),
    )
    shown = {
        f"LEAKY_{name.upper()}_CONSUL_TOKEN": read_token(token_file(tokens, name)) for name in NAMES
    }
    _leaky({**env, **shown}, "migrate")
    return shown


def _leaky(env: Mapping[str, str], *arguments: str) -> None:
    ended = subprocess.run(  # noqa: S603 our own command
        [sys.executable, "-m", "mesh.cli", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
