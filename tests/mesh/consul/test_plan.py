"""The consul/ folder says what the code does: who calls whom, and which settings there are."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.cli.catalogue import Catalogue
from mesh.cli.services import NAMES, settings_models
from mesh.consul.plan import AGENT, PlanError, read_plan
from mesh.settings.remote import admitted
from svc_gateway.routing import methods, service_of

ROOT = Path(__file__).resolve().parents[3]
PLAN = read_plan(ROOT / "consul")
_RULE = re.compile(r'^(\w+) "([^"]*)" \{\n((?:  \w+ += "\w+"\n)+)\}$', re.MULTILINE)


def asked_for(tree: ast.AST, method: str) -> Iterator[str]:
    """The services whose channels are taken by name, as in `context.channel("auth")`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == method and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def files_ask_for(folder: str, method: str) -> set[str]:
    trees = (ast.parse(file.read_text()) for file in (ROOT / folder).rglob("*.py"))
    return {name for tree in trees for name in asked_for(tree, method)}


def callees() -> dict[str, set[str]]:
    """Whom each service calls, by its code."""
    found = {name: files_ask_for(f"svc_{name}", "channel") for name in NAMES}
    found["gateway"] |= {service_of(method) for method in methods()}
    # What the runtime asks for, every service that is not it does.
    everyone = {name for name in files_ask_for("mesh", "to") if name in NAMES}
    return {name: (called | everyone) - {name} for name, called in found.items()}


def rules(holder: str) -> dict[tuple[str, str], str]:
    """What a policy allows, by kind and name."""
    text = PLAN.policies[holder]
    found = {
        (kind, name): dict(re.findall(r'(\w+) += "(\w+)"', body))["policy"]
        for kind, name, body in _RULE.findall(text)
    }
    # So that no rule is written in a way that this does not read.
    assert text.count("{") == len(found)
    return found


def entries(kind: str) -> dict[str, dict[str, object]]:
    return {entry["Name"]: dict(entry) for entry in PLAN.entries if entry["Kind"] == kind}


def test_the_code_is_read() -> None:
    assert callees()["token"] >= {"auth", "analytics", "stubs"}
    assert callees()["gateway"] == {"auth", "token", "analytics", "stubs"}
    assert callees()["stubs"] == {"auth"}
    assert callees()["auth"] == set()
    planted = ast.parse('def build(ctx):\n    ctx.channel("auth")\n')
    assert list(asked_for(planted, "channel")) == ["auth"]


@pytest.mark.parametrize("service", NAMES)
def test_a_service_may_do_its_job_and_nothing_else(service: str) -> None:
    assert rules(service) == {
        ("service", service): "write",
        **{("service", name): "read" for name in callees()[service]},
        ("node_prefix", ""): "read",
        ("key_prefix", f"leaky/{service}/"): "list",
    }


def test_who_may_call_whom_is_who_calls_whom() -> None:
    intentions = entries("service-intentions")
    assert intentions.pop("*")["Sources"] == [{"Name": "*", "Action": "deny"}]
    allowed = {
        (source["Name"], called)
        for called, entry in intentions.items()
        for source in json.loads(json.dumps(entry["Sources"]))
        if source["Action"] == "allow"
    }
    assert allowed == {(name, called) for name, theirs in callees().items() for called in theirs}


def test_every_service_speaks_grpc() -> None:
    defaults = entries("service-defaults")
    assert {name: entry["Protocol"] for name, entry in defaults.items()} == dict.fromkeys(
        NAMES, "grpc"
    )


def test_there_is_a_policy_for_everybody_and_for_nobody_else() -> None:
    assert PLAN.policies.keys() == {*NAMES, AGENT, "operator", "prometheus"}
    assert rules("operator")["key_prefix", "leaky/"] == "write"
    assert {access for what, access in rules("operator").items() if what[0] != "key_prefix"} == {
        "read"
    }


def test_prometheus_finds_every_service_and_may_nothing_else() -> None:
    found = {("service", name): "read" for name in NAMES}
    assert rules("prometheus") == {**found, ("node_prefix", ""): "read"}


def test_the_seed_is_what_settings_are_without_it_and_changes_live() -> None:
    catalogue = Catalogue(settings_models())
    defaults = {row.name: row for row in catalogue.effective({}, {})}
    given = {
        row.name: row
        for row in catalogue.effective_each(
            {}, {name: PLAN.seed.get(name, {}) for name in NAMES}, "seed"
        )
    }
    for service, values in PLAN.seed.items():
        assert admitted(catalogue.names(service), values) == (values, [])
        for name in values:
            assert (given[name].source, given[name].services) == ("seed", ())
            assert (name, given[name].shown) == (name, defaults[name].shown)
            assert given[name].live


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="--folder"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config-entries/x.json", "{"),
        ("config-entries/x.json", '{"Kind": "x"}'),
        ("kv/x.toml", "= 1"),
        ("kv/x.toml", "token = 1"),
        ("kv/x.toml", '[token]\n"token.bucket.capacity" = 5'),
        ("kv/x.toml", '[token]\ntoken.bucket.capacity = "5"'),
    ],
)
def test_a_file_that_is_broken_is_named(tmp_path: Path, file: str, text: str) -> None:
    for folder in ("policies", "config-entries", "kv"):
        (tmp_path / folder).mkdir()
    (tmp_path / "policies" / "token.hcl").write_text('service "token" {}')
    (tmp_path / file).write_text(text)
    with pytest.raises(PlanError, match=file):
        read_plan(tmp_path)
