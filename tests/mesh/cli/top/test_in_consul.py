from typing import Any

import pytest

from mesh.cli.top.in_consul import targets


def node(number: int, *statuses: str, address: str = "10.0.0.1", **meta: str) -> dict[str, Any]:
    known = {"ID": f"token-{number}", "Address": address, "Port": 9082, "Meta": meta}
    checks = [{"Status": status} for status in statuses]
    return {"Node": {"Address": "10.0.0.9"}, "Service": known, "Checks": checks}


def test_each_instance_is_found_on_the_port_of_its_metrics_whether_it_is_well_or_not() -> None:
    found = targets(
        "token",
        [
            node(2, "passing", "critical", metrics_port="18082"),
            node(1, "passing", metrics_port="8082"),
        ],
    )
    assert [(one.name, one.url, one.health) for one in found] == [
        ("token-1", "http://10.0.0.1:8082", "healthy"),
        ("token-2", "http://10.0.0.1:18082", "not ready"),
    ]


def test_an_instance_without_an_address_is_where_its_agent_is() -> None:
    [found] = targets("token", [node(1, "passing", address="", metrics_port="8082")])
    assert found.url == "http://10.0.0.9:8082"


def test_a_service_without_an_instance_is_told_and_so_is_one_that_names_no_port() -> None:
    [none] = targets("token", [])
    assert (none.name, none.url, none.health) == ("token", None, "no instance")
    [hidden] = targets("token", [node(1, "passing", http_port="8082")])
    assert (hidden.url, hidden.health) == (None, "healthy")


def test_what_is_no_answer_of_consul_is_refused() -> None:
    with pytest.raises((KeyError, TypeError)):
        targets("token", [{"Service": {}}])
