import pytest

from mesh.cli.catalogue import Catalogue
from mesh.cli.refusal import RefusedError
from mesh.settings import MeshSettings, Section, live
from mesh.settings.source import SettingsError


class Bucket(Section):
    capacity: int = live(1000, ge=1)
    window: float = 7_776_000.0


class Level(Section):
    priority: int = live(1)


class Own(Section):
    bucket: Bucket = Bucket()
    store: str = ""
    api_key: str = ""
    levels: dict[str, Level] = {"USER": Level(priority=10)}  # noqa: RUF012 pydantic copies it


class OwnSettings(MeshSettings):
    own: Own = Own()


CATALOGUE = Catalogue({"mesh": MeshSettings, "own": OwnSettings})


def shown(name: str, env: dict[str, str], values: dict[str, str]) -> tuple[str, str, bool]:
    [row] = [row for row in CATALOGUE.effective(env, values) if row.name == name]
    return row.shown, row.source, row.live


def test_a_value_comes_from_its_default_the_file_or_the_environment() -> None:
    name = "own.bucket.capacity"
    variable = {"LEAKY_OWN_BUCKET_CAPACITY": "7"}
    assert shown(name, {}, {}) == ("1000", "default", True)
    assert shown(name, {}, {name: "5"}) == ("5", "file", True)
    assert shown(name, variable, {name: "5"}) == ("7", "env", True)


def test_each_name_is_there_once() -> None:
    names = [row.name for row in CATALOGUE.effective({}, {})]
    assert names == sorted(set(names))
    assert "auth.http-port" in names


def test_names_with_a_free_part_are_listed_and_can_be_new() -> None:
    assert shown("own.levels.USER.priority", {}, {}) == ("10", "default", True)
    assert shown("own.levels.GOLD.priority", {}, {"own.levels.GOLD.priority": "9"})[0] == "9"
    assert CATALOGUE.find("own.levels.ANY.priority").live


def test_a_secret_is_not_shown_but_that_it_is_set_is() -> None:
    assert shown("own.api-key", {}, {})[0] == ""
    assert shown("own.api-key", {}, {"own.api-key": "hunter2"})[0] == "[redacted]"
    assert shown("mesh.secret", {"LEAKY_MESH_SECRET": "hunter2" * 3}, {})[0] == "[redacted]"
    url = "postgresql://leaky:hunter2@db/leaky"
    assert shown("own.store", {}, {"own.store": url})[0] == "postgresql://leaky:[redacted]@db/leaky"


def test_numbers_are_written_out() -> None:
    assert shown("own.bucket.window", {}, {})[0] == "7776000"


def test_the_profile_is_the_one_in_force() -> None:
    assert shown("profile", {}, {})[0] == "local"
    assert shown("profile", {"LEAKY_BIND_ADDRESS": "192.0.2.1"}, {})[0] == "secure"


def test_an_unknown_name_is_refused_with_what_is_close() -> None:
    with pytest.raises(
        RefusedError, match=r"no setting own\.bucket\.capacty; .*own\.bucket\.capaci"
    ):
        CATALOGUE.find("own.bucket.capacty")
    with pytest.raises(RefusedError, match="leaky config get"):
        CATALOGUE.find("xyzzy")


def test_a_value_that_any_service_refuses_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"own\.bucket\.capacity"):
        CATALOGUE.check({}, {"own.bucket.capacity": "0"})
    CATALOGUE.check({}, {"own.bucket.capacity": "1"})


def test_services_with_values_of_their_own_are_told_apart_where_they_differ() -> None:
    name = "log.level"
    alike = CATALOGUE.effective_each({}, {"mesh": {}, "own": {}}, "consul")
    assert [row.services for row in alike if row.name == name] == [()]
    differing = CATALOGUE.effective_each({}, {"mesh": {name: "error"}, "own": {}}, "consul")
    assert [(row.shown, row.source, row.services) for row in differing if row.name == name] == [
        ("error", "consul", ("mesh",)),
        ("info", "default", ("own",)),
    ]


def test_a_name_leads_to_the_services_that_have_it() -> None:
    assert CATALOGUE.services_with("log.level") == ["mesh", "own"]
    assert CATALOGUE.services_with("own.levels.GOLD.priority") == ["own"]
    assert CATALOGUE.services_with("xyzzy") == []
