"""`leaky config` on Consul KV."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mesh.cli.services import NAMES
from tests.full.consul.guarded import Guarded, leaky
from tests.parts.urls import CONSUL, url

pytestmark = pytest.mark.skipif(not url(CONSUL), reason="no real parts here")
CAPACITY = "token.bucket.capacity"


class Operator:
    """Runs the command with the operator's token."""

    def __init__(self, guarded: Guarded, data: Path) -> None:
        self.guarded, self._data = guarded, data

    def __call__(self, *arguments: str, holder: str = "operator", **more: str) -> tuple[int, str]:
        """The exit code, and what it printed."""
        env = {"LEAKY_REGISTRY": self.guarded.registry, "LEAKY_DATA": str(self._data), **more}
        if holder:
            env["CONSUL_HTTP_TOKEN"] = self.guarded.token(holder)
        done = leaky("config", *arguments, **env)
        return done.returncode, done.stdout + done.stderr

    def written(self) -> set[str]:
        """All that is set, anywhere."""
        answer = self.guarded.ask("operator", "GET", "kv/leaky/?keys")
        return set(answer.json()) if answer.is_success else set()


@pytest.fixture
def operator(guarded: Guarded, tmp_path: Path) -> Iterator[Operator]:
    guarded.delete("")
    yield Operator(guarded, tmp_path / "data")
    guarded.delete("")


def test_what_is_set_is_what_one_gets_until_it_is_unset(operator: Operator) -> None:
    assert operator("set", CAPACITY, "5") == (0, f"{CAPACITY} is set for token\n")
    assert operator("get", CAPACITY) == (0, "5  (consul, live)\n")
    assert operator.written() == {f"leaky/token/{CAPACITY}"}
    assert operator("unset", CAPACITY) == (0, f"{CAPACITY} is back to its default for token\n")
    assert operator("get", CAPACITY) == (0, "1000  (default, live)\n")
    code, said = operator("unset", CAPACITY)
    assert (code, "is not set in Consul KV" in said) == (1, True)


def test_where_a_key_goes_is_not_set_there(operator: Operator) -> None:
    url, key = "providers.openai.base-url", "LEAKY_PROVIDERS_OPENAI_API_KEY"
    code, said = operator("set", url, "https://evil.test", **{key: "hunter2"})
    assert (code, operator.written()) == (2, set())
    assert "LEAKY_PROVIDERS_OPENAI_BASE_URL" in said
    assert "hunter2" not in said
    assert operator("set", url, "http://127.0.0.1:8093")[0] == 0


def test_what_all_services_have_is_set_for_all_or_for_one(operator: Operator) -> None:
    assert operator("set", "log.level", "debug")[0] == 0
    assert operator.written() == {f"leaky/{service}/log.level" for service in NAMES}
    assert operator("set", "log.level", "error", "--service", "token")[0] == 0
    assert operator("get", "log.level") == (
        0,
        "gateway, analytics, auth, stubs: debug  (consul, live)\ntoken: error  (consul, live)\n",
    )
    assert operator("set", CAPACITY, "5", "--service", "auth")[0] == 2
    assert operator("set", CAPACITY, "5", "--service", "nobody")[0] == 2


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("token.store", "postgresql://leaky:hunter2@db/leaky", "set LEAKY_TOKEN_STORE in"),
        ("mesh.secret", "hunter2-hunter2-hunter2", "set LEAKY_MESH_SECRET in"),
        ("token.http-port", "8092", "set LEAKY_TOKEN_HTTP_PORT in"),
        ("registry", "static://", "LEAKY_REGISTRY"),
        (CAPACITY, "many", f"{CAPACITY}: "),
        ("token.tiers.default-tier", "PRO", "token.tiers.default-tier"),
        ("token.bucket.capacty", "5", "did you mean"),
    ],
)
def test_what_does_not_belong_there_is_refused_and_changes_nothing(
    operator: Operator, name: str, text: str, told: str
) -> None:
    code, said = operator("set", name, text)
    assert (code, said.count("\n")) == (2, 1)
    assert told in said
    assert "hunter2" not in said
    assert operator.written() == set()


def test_the_whole_is_looked_at_not_the_one_value(operator: Operator) -> None:
    assert operator("set", "token.tiers.levels.PRO.priority", "5")[0] == 0
    assert operator("set", "token.tiers.default-tier", "PRO")[0] == 0
    code, said = operator("unset", "token.tiers.levels.PRO.priority")
    assert (code, "token.tiers.default-tier names no level" in said) == (2, True)
    assert "leaky/token/token.tiers.levels.PRO.priority" in operator.written()


def test_of_two_values_that_do_not_fit_each_can_be_taken_out(operator: Operator) -> None:
    wrong = {CAPACITY: "many", "deadlines.edge": "soon", "token.http-port": "8092"}
    for name, text in wrong.items():
        operator.guarded.put(name, text)
    for name in wrong:
        assert operator("unset", name)[0] == 0
    assert operator.written() == set()


def test_a_services_token_looks_and_does_not_change(operator: Operator) -> None:
    for holder in ("token", ""):
        code, said = operator("set", CAPACITY, "5", holder=holder)
        assert (code, "--token-file" in said) == (1, True)
    assert operator.written() == set()


def test_the_tokens_file_comes_before_the_environment(operator: Operator) -> None:
    file = str(operator.guarded.file("operator"))
    assert operator("set", CAPACITY, "5", "--token-file", file, holder="token")[0] == 0


def test_changes_at_the_same_time_are_all_made(operator: Operator) -> None:
    names = [f"token.tiers.levels.T{number}.priority" for number in range(2)] + [CAPACITY] * 2
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: operator("set", name, "7"), names))
    assert [code for code, _ in done] == [0, 0, 0, 0]
    assert operator.written() == {f"leaky/token/{name}" for name in names}


def test_a_consul_that_is_away_is_one_clear_line(tmp_path: Path) -> None:
    env = {"LEAKY_REGISTRY": "consul://127.0.0.1:1", "LEAKY_DATA": str(tmp_path)}
    done = leaky("config", "get", **env)
    assert done.returncode == 1
    assert done.stderr.startswith("leaky: Consul cannot be asked: ")
    assert done.stderr.count("\n") == 1
