"""Services and clients, async and sync, from one template."""

from dataclasses import dataclass

from mesh.codegen.sdk.plan import Argument, Operation, Service
from mesh.codegen.sdk.text import docstring, exported, hanging, header, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """What differs between the async and the sync SDK."""

    prefix: str
    define: str
    wait: str
    module: str
    connection: str


ASYNC = Twin(
    prefix="Async",
    define="async def",
    wait="await ",
    module="_async_services",
    connection="async_connection",
)
SYNC = Twin(prefix="", define="def", wait="", module="_sync_services", connection="sync_connection")

_IMPORTS = """
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import _decode, models
from ._runtime import decode
from ._runtime.headers import Trace
from ._runtime.request import Request, fields, segment
"""


def services(plan: tuple[Service, ...], twin: Twin) -> str:
    """The module with the service classes of one twin."""
    connection = f"{twin.prefix}Connection"
    lines = [
        header("The server's methods."),
        _IMPORTS,
        f"from ._runtime.{twin.connection} import {connection}\n\n",
        exported(twin.prefix + service.name for service in plan),
    ]
    for service in plan:
        lines += [
            f"\n\nclass {twin.prefix}{service.name}:\n",
            docstring([service.comment], 4),
            f"\n    def __init__(self, connection: {connection}) -> None:\n",
            "        self._connection = connection\n",
            *(_method(operation, twin) for operation in service.operations),
        ]
    return "".join(lines)


def _method(operation: Operation, twin: Twin) -> str:
    ordered = sorted(operation.arguments, key=lambda argument: not argument.required)
    signature = "".join(f"        {_parameter(argument)},\n" for argument in ordered)
    return (
        f"\n    {twin.define} {operation.name}(\n        self,\n        *,\n{signature}"
        "        timeout: float | None = None,\n        trace: Trace | None = None,\n"
        f"    ) -> {operation.returns}:\n"
        + docstring(
            [operation.comment, f"{operation.verb} {operation.route}", _explained(ordered)], 8
        )
        + f"        {'' if operation.returns == 'None' else 'return '}"
        f"{twin.wait}self._connection.call(\n{_request(operation)},\n"
        "            timeout=timeout,\n            trace=trace,\n        )\n"
    )


def _parameter(argument: Argument) -> str:
    optional = "" if argument.required else " | None = None"
    return f"{argument.name}: {argument.annotation}{optional}"


def _explained(arguments: list[Argument]) -> str:
    entries = [
        *((argument.name, argument.comment) for argument in arguments if argument.comment),
        ("timeout", "Seconds for the call with its retries, instead of the client's."),
        ("trace", "What the call belongs to, instead of the client's."),
    ]
    return "\n".join(["Args:", *(hanging(name, comment, 8) for name, comment in entries)])


def _request(operation: Operation) -> str:
    parts = [
        f"name={quoted(operation.rpc)}",
        f"verb={quoted(operation.verb)}",
        f"path={'f' if '{' in operation.path else ''}'{operation.path}'",
        f"repeatable={operation.repeatable}",
        f"decode={operation.decoding}",
        *_mapping("query", operation.query),
        *_mapping("headers", operation.headers),
        *([f"body={operation.body}"] if operation.body else []),
    ]
    return "            Request(\n" + "".join(f"{part},\n" for part in parts) + "            )"


def _mapping(name: str, values: dict[str, str]) -> list[str]:
    pairs = ", ".join(f"{quoted(key)}: {value}" for key, value in values.items())
    return [f"{name}={{{pairs}}}"] if values else []


def client(plan: tuple[Service, ...]) -> str:
    """client.py: both clients."""
    lines = [header("The clients."), "from typing import ClassVar\n\n"]
    for twin in (ASYNC, SYNC):
        names = ", ".join(twin.prefix + service.name for service in plan)
        lines.append(f"from .{twin.module} import {names}\n")
        lines.append(f"from ._runtime.{twin.connection} import {twin.prefix}Connection\n")
    lines += [
        "from ._runtime.errors import LeakyError\n",
        "from ._version import __version__\n",
        "from .errors import BY_REASON\n\n",
        exported(["AsyncClient", "Client"]),
        _client(plan, ASYNC, "async with"),
        _client(plan, SYNC, "with"),
    ]
    return "".join(lines)


def _client(plan: tuple[Service, ...], twin: Twin, opening: str) -> str:
    example = (
        f"Example:\n    {opening} {twin.prefix}Client(base_url=..., api_key=...) as client:\n"
        f"        quota = {twin.wait}client.quota.get_quota(user_id=..., provider=...)"
    )
    about = "A client of the edge, or of any one service's REST port."
    head = (
        f"\n\nclass {twin.prefix}Client({twin.prefix}Connection):\n"
        + docstring([about, example], 4)
        + "\n    ERRORS: ClassVar[dict[str, type[LeakyError]]] = BY_REASON\n"
        '    USER_AGENT: ClassVar[str] = f"leaky-client/{__version__}"\n'
    )
    return head + "".join(
        f"\n    @property\n    def {service.attribute}(self) -> {twin.prefix}{service.name}:\n"
        f"{docstring([service.comment], 8)}        return {twin.prefix}{service.name}(self)\n"
        for service in plan
    )


def initial(version: str) -> tuple[str, str]:
    """__init__.py and _version.py."""
    names = ["AsyncClient", "Client", "DeadlineExceeded", "LeakyError", "RetryPolicy", "Trace"]
    about = "A typed client of Leaky Tokens, speaking REST; see AsyncClient and Client."
    imports = (
        "from . import errors, models\n"
        "from ._runtime.headers import Trace\n"
        "from ._runtime.retry import RetryPolicy\n"
        "from ._version import __version__\n"
        "from .client import AsyncClient, Client\n"
        "from .errors import DeadlineExceeded, LeakyError\n\n"
    )
    entry = header(about) + imports + exported([*names, "__version__", "errors", "models"])
    return entry, header("The version that this client was made with.") + (
        f"__version__ = {quoted(version)}\n"
    )
