"""What tests do with a Consul that has ACLs: ask it as somebody, and change its KV."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mesh.consul.token import token_file
from tests.parts.native import NativePart

ROOT = Path(__file__).resolve().parents[3]
# What docs/configuration.md promises of a change, and how long one is waited for.
CHANGE_SECONDS, PATIENCE_SECONDS = 2.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """The part, its first token's file, and the folder with everybody's tokens."""

    part: NativePart
    registry: str
    management: Path
    tokens: Path
    http: httpx.Client

    @classmethod
    def of(cls, part: NativePart, tokens: Path) -> "Guarded":
        """Of a part that runs."""
        registry, management = part.url, part.variables["PARTS_CONSUL_TOKEN_FILE"]
        http = httpx.Client(base_url=f"{registry.replace('consul:', 'http:')}/v1", timeout=10)
        return cls(
            part=part,
            registry=registry,
            management=Path(management),
            tokens=tokens,
            http=http,
        )

    def file(self, holder: str) -> Path:
        """Where bootstrap has written this holder's token."""
        return token_file(self.tokens, holder)

    def token(self, holder: str) -> str:
        """A service's token, the operator's, `management`'s, or nobody's: an empty one."""
        if not holder:
            return ""
        if holder == "management":
            return self.management.read_text().strip()
        return self.file(holder).read_text()

    def env(self, data: Path, **more: str) -> dict[str, str]:
        """What svc_token is started with."""
        return {
            "LEAKY_DATA": str(data),
            "LEAKY_REGISTRY": self.registry,
            "LEAKY_TOKEN_CONSUL_TOKEN_FILE": str(self.file("token")),
            **more,
        }

    def ask(self, holder: str, verb: str, path: str, body: object = None) -> httpx.Response:
        """One call of the HTTP API."""
        return self.http.request(
            verb,
            path,
            headers={"X-Consul-Token": self.token(holder)},
            content=body if isinstance(body, str) else json.dumps(body) if body else None,
        )

    def put(self, name: str, text: str, service: str = "token") -> None:
        """Sets a key, as in the UI: without looking whether it fits."""
        self.ask("operator", "PUT", f"kv/leaky/{service}/{name}", text).raise_for_status()

    def put_all(self, values: Mapping[str, str | None], service: str = "token") -> None:
        """Sets several at once, None deletes."""
        operations = [_operation(f"leaky/{service}/{name}", text) for name, text in values.items()]
        self.ask("operator", "PUT", "txn", operations).raise_for_status()

    def delete(self, path: str) -> None:
        """Deletes a key, or a folder."""
        key = f"leaky/{path}"
        query = "?recurse" if key.endswith("/") else ""
        self.ask("operator", "DELETE", f"kv/{key}{query}").raise_for_status()

    def get(self, name: str, service: str = "token") -> str | None:
        """A key's text."""
        answer = self.ask("operator", "GET", f"kv/leaky/{service}/{name}?raw")
        return answer.text if answer.is_success else None


def _operation(key: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {"KV": {"Verb": "delete", "Key": key}}
    value = base64.b64encode(text.encode()).decode()
    return {"KV": {"Verb": "set", "Key": key, "Value": value}}


def leaky(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """The command, with no settings from outside."""
    clean = {
        key: text for key, text in os.environ.items() if not key.startswith(("LEAKY_", "CONSUL_"))
    }
    return subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-m", "mesh.cli", *arguments],
        env=clean | env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def bootstrap(guarded: Guarded, *more: str) -> "subprocess.CompletedProcess[str]":
    """Makes it ready, or again."""
    return leaky(
        *("consul", "bootstrap", "--registry", guarded.registry, "--out", str(guarded.tokens)),
        *("--token-file", str(guarded.management), *more),
    )


def soon(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Waits until something holds; how long that took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, "it did not come to hold"
        time.sleep(0.01)
    return time.monotonic() - begun
