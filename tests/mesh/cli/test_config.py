"""`leaky config` as a process, over the settings of the real services."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.mesh.cli.conftest import Leaky


def test_what_is_set_is_what_one_gets(leaky: "Leaky", tmp_path: Path) -> None:
    done = leaky("config", "set", "token.bucket.capacity", "5")
    assert (done.returncode, done.stdout) == (0, "token.bucket.capacity is set\n")
    assert leaky("config", "get", "token.bucket.capacity").stdout == "5  (file, live)\n"
    file = tmp_path / "data" / "settings.json"
    assert json.loads(file.read_text()) == {"token.bucket.capacity": "5"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert leaky("config", "unset", "token.bucket.capacity").returncode == 0
    assert leaky("config", "get", "token.bucket.capacity").stdout == "1000  (default, live)\n"


def test_the_list_names_every_service(leaky: "Leaky") -> None:
    listed = leaky("config", "get").stdout
    for service in ("gateway", "auth", "token", "analytics"):
        assert f" {service}.http-port " in listed


def test_a_value_that_does_not_fit_changes_nothing(leaky: "Leaky", tmp_path: Path) -> None:
    leaky("config", "set", "token.bucket.capacity", "5")
    refused = leaky("config", "set", "token.bucket.capacity", "many")
    assert refused.returncode == 2
    assert refused.stderr.startswith("leaky: token.bucket.capacity: ")
    assert refused.stderr.count("\n") == 1
    values = json.loads((tmp_path / "data" / "settings.json").read_text())
    assert values == {"token.bucket.capacity": "5"}


def test_of_two_values_that_do_not_fit_each_can_be_taken_out(
    leaky: "Leaky", tmp_path: Path
) -> None:
    file = tmp_path / "data" / "settings.json"
    file.parent.mkdir()
    file.write_text('{"token.bucket.capacity": "abc", "deadlines.edge": "xyz"}')
    refused = leaky("config", "set", "token.bucket.capacity", "abc")
    assert refused.returncode == 2
    assert "token.bucket.capacity: " in refused.stderr
    assert refused.stderr.count("deadlines.edge: ") == 1
    assert leaky("config", "unset", "token.bucket.capacity").returncode == 0
    assert json.loads(file.read_text()) == {"deadlines.edge": "xyz"}
    assert leaky("config", "unset", "deadlines.edge").returncode == 0
    assert json.loads(file.read_text()) == {}


def test_what_is_taken_out_may_leave_nothing_newly_wrong(leaky: "Leaky", tmp_path: Path) -> None:
    file = tmp_path / "data" / "settings.json"
    file.parent.mkdir()
    values = {"bind-address": "192.0.2.1", "profile": "local", "allow-insecure-bind": "1"}
    file.write_text(json.dumps(values))
    refused = leaky("config", "unset", "allow-insecure-bind")
    assert (refused.returncode, "would let anyone" in refused.stderr) == (2, True)
    assert json.loads(file.read_text()) == values


def test_an_unknown_name_is_refused_with_what_is_close(leaky: "Leaky", tmp_path: Path) -> None:
    refused = leaky("config", "set", "token.bucket.capacty", "5")
    assert refused.returncode == 2
    assert "did you mean token.bucket.capacity" in refused.stderr
    assert not (tmp_path / "data" / "settings.json").exists()


def test_a_value_that_the_environment_hides_is_said_and_checked(leaky: "Leaky") -> None:
    name, env = "token.bucket.capacity", {"LEAKY_TOKEN_BUCKET_CAPACITY": "7"}
    assert (
        "LEAKY_TOKEN_BUCKET_CAPACITY in the env" in leaky("config", "set", name, "5", **env).stdout
    )
    assert leaky("config", "get", name, **env).stdout == "7  (env, live)\n"
    assert leaky("config", "set", name, "many", **env).returncode == 2


def test_a_secret_comes_by_stdin_and_is_never_shown(leaky: "Leaky") -> None:
    done = leaky("config", "set", "actuator.token", "-", stdin="hunter2-hunter2\n")
    assert done.returncode == 0
    for shown in (done, leaky("config", "get"), leaky("config", "get", "actuator.token")):
        assert "hunter2" not in shown.stdout + shown.stderr
    assert leaky("config", "get", "actuator.token").stdout == "[redacted]  (file, restart)\n"


def test_the_data_folder_is_no_setting_in_itself(leaky: "Leaky") -> None:
    refused = leaky("config", "set", "data", "/elsewhere")
    assert (refused.returncode, "--data" in refused.stderr) == (2, True)


def test_a_file_that_is_no_json_is_one_clear_line(leaky: "Leaky", tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "settings.json").write_text("{")
    refused = leaky("config", "get")
    assert refused.returncode == 2
    assert "settings.json is not JSON" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_changes_at_the_same_time_are_all_kept(leaky: "Leaky", tmp_path: Path) -> None:
    names = [f"token.tiers.levels.T{number}.priority" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: leaky("config", "set", name, "1"), names))
    assert [one.returncode for one in done] == [0, 0, 0, 0]
    values = json.loads((tmp_path / "data" / "settings.json").read_text())
    assert sorted(values) == names


def test_where_settings_are_is_no_setting_in_itself_and_files_have_no_services(
    leaky: "Leaky",
) -> None:
    refused = leaky("config", "set", "registry", "consul://127.0.0.1:8500")
    assert (refused.returncode, "LEAKY_REGISTRY" in refused.stderr) == (2, True)
    refused = leaky("config", "set", "token.bucket.capacity", "5", "--service", "token")
    assert (refused.returncode, "the file is for all services" in refused.stderr) == (2, True)


def test_a_registry_that_is_no_address_is_refused(leaky: "Leaky") -> None:
    for registry in ("consul://host:port", "consul://host:0", "consul://", "other://"):
        refused = leaky("config", "get", LEAKY_REGISTRY=registry)
        assert (refused.returncode, refused.stderr.startswith("leaky: registry: ")) == (2, True)
