"""docs/ says what the code says: every setting, call, RPC, metric and reason, and nothing else."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from leaky.edge.v1 import options_pb2
from leaky.edge.v1.options_pb2 import ACCESS_AUTHENTICATED, ACCESS_PUBLIC
from mesh.cli.services import NAMES, settings_models
from mesh.edge.routes import Route, compile_routes
from mesh.errors import OUTCOMES
from mesh.settings import MeshSettings
from mesh.settings.names import Name, env_word, names_of
from mesh.settings.source import load
from svc_gateway.routing import methods

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
_CODE = re.compile("`([^`]+)`")


def rows(page: str, section: str = "") -> Iterator[list[str]]:
    """The cells of all tables on a page, or in one section, without their heads."""
    text = (DOCS / page).read_text()
    if section:
        text = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        for line in table.splitlines()[2:]:
            yield [cell.strip() for cell in line.strip("|").split("|")]


# Settings.


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, by all that the page says of it."""

    env: str
    live: bool
    # The default, and those of the keys of a free part where they differ.
    values: dict[str, str]


def _settings() -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for model in settings_models().values():
        defaults = load(model, {}, {}).model_dump(by_alias=True, mode="json")
        for name in names_of(model):
            setting = Setting(
                env="LEAKY_" + "_".join(env_word(part) if part else "{NAME}" for part in name.path),
                # With a free part a setting is taken over whole; see Live.
                live=name.live or None in name.path,
                values=_values(name, defaults),
            )
            assert found.setdefault(name.dotted, setting) == setting
    return found


def _values(name: Name, defaults: dict[str, Any]) -> dict[str, str]:
    if None not in name.path:
        return {"": _shown(_at(name.path, defaults))}
    free = name.path.index(None)
    base = "" if isinstance(name.default, dict) else _shown(name.default)
    known = {
        key: _shown(_at(name.path[free + 1 :], value))
        for key, value in _at(name.path[:free], defaults).items()
    }
    return {"": base} | {key: value for key, value in known.items() if value != base}


def _at(path: tuple[str | None, ...], tree: Any) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _documented_settings() -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for name, env, default, live, meaning in rows("configuration.md"):
        dotted = name.strip("`")
        assert dotted not in found
        assert meaning.endswith(".")
        assert live in {"", "live"}
        values = _documented_values(dotted, default)
        found[dotted] = Setting(env=env.strip("`"), live=bool(live), values=values)
    return found


def _documented_values(dotted: str, cell: str) -> dict[str, str]:
    base, _, others = cell.partition(";")
    values = {"": "" if base.startswith("none") else _read(dotted, base.strip("` "))}
    for other in filter(None, others.split(",")):
        key, value = other.strip().rsplit(" ", 1)
        values[key.strip("`")] = _read(dotted, value.strip("`"))
    return values


def _read(dotted: str, text: str) -> str:
    """A value as its model reads it, so that 24h is a day."""
    known = _models()
    assert dotted in known, f"there is no setting {dotted}"
    key = dotted.replace("{name}", "/x")
    tree = load(known[dotted], {}, {key: text}).model_dump(by_alias=True, mode="json")
    return _shown(
        _at(tuple("/x" if part == "{name}" else part for part in dotted.split(".")), tree)
    )


@cache
def _models() -> dict[str, type[MeshSettings]]:
    """A model that has it, by each setting's name."""
    models = settings_models().values()
    return {name.dotted: model for model in models for name in names_of(model)}


def test_every_setting_is_documented_and_no_other() -> None:
    assert _documented_settings() == _settings()


def test_a_wrong_default_would_be_seen() -> None:
    assert _documented_values("token.quota.window", "`23h`") != {"": "86400.0"}
    assert _documented_values("token.quota.window", "`24h`") == {"": "86400.0"}
    with pytest.raises(AssertionError, match="no setting"):
        _documented_values("token.quota.windows", "`24h`")


# Calls.


def _routes() -> dict[str, Route]:
    return {f"{route.verb} `{route.uri}`": route for route in compile_routes(list(methods()), {})}


def _calls() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for section in ("Auth (8081)", "Tokens (8082)", "Analytics (8083)", "Chat (8091, 8092, 8093)"):
        for call, *cells in rows("api.md", section):
            assert call not in found
            found[call] = cells
    return found


def test_every_call_is_documented_and_no_other() -> None:
    assert _calls().keys() == _routes().keys()


@pytest.mark.parametrize("call", _routes())
def test_a_call_is_as_documented(call: str) -> None:
    security, request, success, errors = _calls()[call]
    route = _routes()[call]
    assert security == _security(route)
    assert request == _request(route)
    assert success == _success(route)
    known = {outcome.name for outcome in OUTCOMES.values()}
    assert set(filter(None, errors.split(", "))) <= known


def _security(route: Route) -> str:
    rule = route.method.rule
    if rule.access == ACCESS_PUBLIC:
        return "public"
    if rule.access != ACCESS_AUTHENTICATED:
        return ", ".join(rule.roles)
    names = route.method.request.DESCRIPTOR.fields_by_name
    parts = [f"own {names[rule.own].json_name}"] if rule.own else []
    if rule.member:
        parts.append(_standing(names[rule.member].json_name, list(rule.standings)))
    return ", ".join(parts) or "authenticated"


def _standing(field: str, standings: list[str]) -> str:
    if standings == ["OWNER"]:
        return f"owner {field}"
    return f"member {field}" + (f" as {' or '.join(standings)}" if standings else "")


def _request(route: Route) -> str:
    """The fields that are not in the path, `?` after those that may be left out."""
    if route.fill.body not in {"", "*"}:
        return "JSON"
    headers = {header.field: header.header for header in route.method.rule.request_headers}
    in_path = {field.name for field in route.fill.path}
    fields = [f for f in route.method.request.DESCRIPTOR.fields if f.name not in in_path]
    plain = [_marked(f, f.json_name) for f in fields if f.name not in headers]
    given = []
    if plain:
        joined = "{" + ", ".join(plain) + "}" if route.fill.body else "?" + "&".join(plain)
        given.append(f"`{joined}`")
    # An API key that is asked about is not optional, although its absence is a 401 and no 400.
    given += [
        f"`{headers[f.name] if f.name == 'api_key' else _marked(f, headers[f.name])}`"
        for f in fields
        if f.name in headers
    ]
    return " ".join(given)


def _marked(field: Any, name: str) -> str:
    required = field.GetOptions().Extensions[options_pb2.field].required
    return name if required else f"{name}?"


def _success(route: Route) -> str:
    status = route.method.rule.success_status or 200
    if status == 204:
        return "204"
    kind, listed = route.method.response.DESCRIPTOR, False
    if route.answer.field is not None:
        kind, listed = route.answer.field.message_type, route.answer.field.is_repeated
    if kind is None:
        return f"{status} JSON"
    names = "{" + ", ".join(field.json_name for field in kind.fields) + "}"
    return f"{status} `[{names}]`" if listed else f"{status} `{names}`"


def test_every_reason_is_documented_and_no_other() -> None:
    documented = [tuple(cells) for cells in rows("api.md", "Reasons")]
    assert documented == [
        (outcome.name, str(outcome.http_status), outcome.code.name)
        for outcome in OUTCOMES.values()
        if outcome.name != "UNSPECIFIED"
    ]


# Services.


def test_the_ports_are_as_documented() -> None:
    settings = MeshSettings()
    table = {cells[0]: cells[1:4] for cells in rows("services.md") if cells[0] in NAMES}
    assert table.keys() == set(NAMES)
    for name, (rest, grpc, health) in table.items():
        section = getattr(settings, name)
        assert (grpc, health) == (str(section.grpc_port), str(section.grpc_port + 100))
        if name == "stubs":
            stubs = [(getattr(section, one).http_port, one) for one in ("qwen", "gemini", "openai")]
            assert rest == ", ".join(f"{port} {one}" for port, one in stubs)
        else:
            assert rest == str(section.http_port)


# In a process of its own: other tests have metrics, too.
_LOADED = """
from importlib.metadata import entry_points
import mesh.discovery.consul, mesh.runtime, mesh.storage.postgresql
for service in entry_points(group="leaky.services"):
    service.load()
from prometheus_client import REGISTRY
import re, sys
for metric in REGISTRY.collect():
    if not re.match("python_|process_", metric.name):
        print("metric", metric.name + ("_total" if metric.type == "counter" else ""))
for name, module in list(sys.modules.items()):
    if re.fullmatch(r"leaky\\..*_service_pb2", name):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                print("rpc", service.name, method.name)
"""


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    done = subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-c", _LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_every_metric_is_documented_and_no_other(loaded: list[str]) -> None:
    text = (DOCS / "services.md").read_text()
    documented = {name for name in _CODE.findall(text) if re.fullmatch("[a-z]+_[a-z_]+", name)}
    assert documented == {line.split()[1] for line in loaded if line.startswith("metric")}


def test_every_rpc_is_documented_and_no_other(loaded: list[str]) -> None:
    documented = []
    for cells in rows("services.md"):
        match = re.fullmatch(r"`(\w+Service)` (.+)", cells[0])
        if match:
            documented += [f"rpc {match[1]} {name}" for name in match[2].split(", ")]
    assert sorted(documented) == sorted(line for line in loaded if line.startswith("rpc"))


# Links.


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked), target


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES[1:] if f"](docs/{page.name})" not in readme] == []
