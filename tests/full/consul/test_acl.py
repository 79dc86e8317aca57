"""Each token may do its job in Consul and nothing else; who may call whom, as Consul decides it."""

import itertools
from collections.abc import Iterator

import pytest

from mesh.cli.services import NAMES
from tests.full.consul.guarded import Guarded, bootstrap, soon
from tests.parts.urls import CONSUL, url

pytestmark = pytest.mark.skipif(not url(CONSUL), reason="no real parts here")
# Who calls whom, as in docs/architecture.md; test_plan compares consul/ with the code.
CALLS = {
    "gateway": {"auth", "token", "analytics", "stubs"},
    "auth": set[str](),
    "token": {"auth", "analytics", "stubs"},
    "analytics": {"auth"},
    "stubs": {"auth"},
}
EVERYBODY = (*NAMES, "")


@pytest.fixture(autouse=True)
def cleared(guarded: Guarded) -> Iterator[None]:
    """Without instances of a test before."""
    yield
    for instance in guarded.ask("management", "GET", "agent/services").json():
        guarded.ask("management", "PUT", f"agent/service/deregister/{instance}")


def register(guarded: Guarded, holder: str, service: str) -> int:
    body = {
        "ID": f"{service}-1",
        "Name": service,
        "Port": 1,
        "Check": {"GRPC": "127.0.0.1:1", "Interval": "1s", "Status": "passing"},
    }
    return guarded.ask(holder, "PUT", "agent/service/register", body).status_code


def catalogued(guarded: Guarded, service: str) -> bool:
    # The catalogue is what others see; the agent tells it with the service's own token.
    instances = guarded.ask("management", "GET", f"health/service/{service}").json()
    checks = [check["Name"] for instance in instances for check in instance["Checks"]]
    return len(instances) == 1 and len(checks) > 1


@pytest.mark.parametrize("holder", EVERYBODY)
def test_a_service_registers_itself_and_nobody_else(guarded: Guarded, holder: str) -> None:
    for service in NAMES:
        allowed = service == holder
        assert register(guarded, holder, service) == (200 if allowed else 403)
        if allowed:
            soon(lambda: catalogued(guarded, holder))
    if holder:
        path = f"agent/service/deregister/{holder}-1"
        other = next(name for name in NAMES if name != holder)
        assert guarded.ask(other, "PUT", path).status_code == 403
        assert guarded.ask("", "PUT", path).status_code == 403
        assert guarded.ask(holder, "PUT", path).status_code == 200


@pytest.mark.parametrize("holder", EVERYBODY)
def test_a_service_finds_those_it_calls_and_nobody_else(guarded: Guarded, holder: str) -> None:
    for service in NAMES:
        assert register(guarded, service, service) == 200
        soon(lambda: catalogued(guarded, service))  # noqa: B023
    found = {
        service
        for service in NAMES
        if guarded.ask(holder, "GET", f"health/service/{service}").json()
    }
    assert found == (CALLS[holder] | {holder} if holder else set())


@pytest.mark.parametrize("holder", EVERYBODY)
def test_a_service_reads_its_own_settings_and_writes_none(guarded: Guarded, holder: str) -> None:
    for service in NAMES:
        guarded.put("log.level", "info", service)
        own = service == holder
        for path in (f"kv/leaky/{service}/?recurse", f"kv/leaky/{service}/log.level"):
            assert guarded.ask(holder, "GET", path).status_code == (200 if own else 403)
        key = f"kv/leaky/{service}/log.level"
        assert guarded.ask(holder, "PUT", key, "debug").status_code == 403
        assert guarded.ask(holder, "DELETE", key).status_code == 403
        assert guarded.get("log.level", service) == "info"
        guarded.delete(f"{service}/log.level")
    for path in ("kv/?recurse", "kv/leaky/?recurse", "kv/other"):
        assert guarded.ask(holder, "GET", path).status_code == 403


@pytest.mark.parametrize("holder", [*EVERYBODY, "operator"])
def test_only_management_gives_rights_and_says_who_calls_whom(
    guarded: Guarded, holder: str
) -> None:
    everybody = [{"Name": "*", "Action": "allow"}]
    intentions = {"Kind": "service-intentions", "Name": "token", "Sources": everybody}
    for verb, path, body in (
        ("GET", "acl/tokens", None),
        ("PUT", "acl/token", {"Policies": [{"Name": "global-management"}]}),
        ("PUT", "acl/policy", {"Name": "mine", "Rules": 'key_prefix "" { policy = "write" }'}),
        ("PUT", "config", intentions),
        ("PUT", "agent/token/agent", {"Token": "x"}),
        ("PUT", "agent/maintenance?enable=true", None),
        ("PUT", "agent/leave", None),
        ("GET", "snapshot", None),
    ):
        assert (path, guarded.ask(holder, verb, path, body).status_code) == (path, 403)


def test_nobody_sees_nothing(guarded: Guarded) -> None:
    assert register(guarded, "token", "token") == 200
    soon(lambda: catalogued(guarded, "token"))
    for path in ("catalog/services", "catalog/nodes", "agent/services", "health/state/any"):
        assert not guarded.ask("", "GET", path).json()
    for path in ("agent/self", "agent/metrics", "operator/raft/configuration"):
        assert guarded.ask("", "GET", path).status_code == 403


def test_the_operator_changes_settings_and_sees_the_rest(guarded: Guarded) -> None:
    assert register(guarded, "token", "token") == 200
    soon(lambda: catalogued(guarded, "token"))
    assert guarded.ask("operator", "PUT", "kv/leaky/token/log.level", "info").status_code == 200
    assert guarded.ask("operator", "DELETE", "kv/leaky/token/log.level").status_code == 200
    assert guarded.ask("operator", "PUT", "kv/other", "x").status_code == 403
    # What the UI's pages ask for.
    assert "token" in guarded.ask("operator", "GET", "catalog/services").json()
    assert guarded.ask("operator", "GET", "health/service/token").json()
    assert guarded.ask("operator", "GET", "internal/ui/services").json()
    assert guarded.ask("operator", "GET", "internal/ui/nodes").json()
    assert guarded.ask("operator", "GET", "connect/intentions").json()
    assert register(guarded, "operator", "stubs") == 403


@pytest.mark.parametrize(("source", "called"), list(itertools.product(NAMES, NAMES)))
def test_who_may_call_whom(guarded: Guarded, source: str, called: str) -> None:
    path = f"connect/intentions/check?source={source}&destination={called}"
    decided = guarded.ask("operator", "GET", path).json()["Allowed"]
    assert decided == (called in CALLS[source])


def test_strangers_may_call_nobody(guarded: Guarded) -> None:
    for called in NAMES:
        path = f"connect/intentions/check?source=stranger&destination={called}"
        assert not guarded.ask("operator", "GET", path).json()["Allowed"]


def test_each_token_is_in_a_folder_of_its_own_that_its_owner_alone_reads(guarded: Guarded) -> None:
    assert bootstrap(guarded).returncode == 0
    holders = (*NAMES, "operator", "prometheus", "agent")
    assert sorted(guarded.tokens.glob("**/*")) == sorted(
        path for holder in holders for path in (guarded.tokens / holder, guarded.file(holder))
    )
    for holder in holders:
        assert guarded.file(holder).stat().st_mode & 0o777 == 0o600
        assert guarded.file(holder).parent.stat().st_mode & 0o777 == 0o700


def test_bootstrapping_again_changes_nothing(guarded: Guarded) -> None:
    assert bootstrap(guarded).returncode == 0  # what other tests have taken away
    before = {file.parent.name: file.read_text() for file in guarded.tokens.glob("*/*")}
    index = guarded.ask("management", "GET", "acl/policies").json()
    again = bootstrap(guarded)
    assert (again.returncode, again.stdout) == (0, "nothing to change\n")
    assert guarded.ask("management", "GET", "acl/policies").json() == index
    assert {file.parent.name: file.read_text() for file in guarded.tokens.glob("*/*")} == before
    assert len(guarded.ask("management", "GET", "acl/tokens").json()) == len(before) + 2


def test_what_was_taken_away_comes_back_and_what_an_operator_set_stays(guarded: Guarded) -> None:
    assert bootstrap(guarded).returncode == 0
    policies = guarded.ask("management", "GET", "acl/policies").json()
    policy = next(each for each in policies if each["Name"] == "leaky-token")
    wider = {"Name": policy["Name"], "Rules": 'key_prefix "" { policy = "write" }'}
    guarded.ask("management", "PUT", f"acl/policy/{policy['ID']}", wider).raise_for_status()
    guarded.ask("management", "DELETE", "config/service-intentions/stubs").raise_for_status()
    guarded.put("token.bucket.capacity", "77")
    secret = guarded.token("auth")
    guarded.file("auth").unlink()
    done = bootstrap(guarded)
    assert sorted(line.split(" ", 1)[1] for line in done.stdout.splitlines()[:2]) == [
        "leaky-token has changed",
        "stubs is new",
    ]
    assert (guarded.token("auth"), guarded.get("token.bucket.capacity")) == (secret, "77")
    assert guarded.ask("token", "PUT", "kv/other", "x").status_code == 403
    for secret in (guarded.token(holder) for holder in (*NAMES, "operator", "agent", "management")):
        assert secret not in done.stdout + done.stderr


def test_without_the_right_token_nothing_is_begun(guarded: Guarded) -> None:
    done = bootstrap(guarded, "--token-file", str(guarded.file("operator")))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("leaky: Consul: Permission denied")
