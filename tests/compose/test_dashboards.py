"""The dashboards against the metrics that there are, and against what compose tells Grafana."""

import json
import re
from typing import Any

import pytest
import yaml

from tests.compose.dashboards import DASHBOARDS, FOLDER, expressions
from tests.compose.files import COMPOSE, ROOT, read
from tests.compose.rules import metrics_in

each = pytest.mark.parametrize("name", DASHBOARDS)
# prometheus-client's own, of the process.
_PROCESS = re.compile("process_[a-z_]+")


def provisioned(path: str) -> Any:
    return yaml.safe_load((COMPOSE / "grafana" / "provisioning" / path).read_text())


@each
def test_a_dashboard_asks_for_metrics_that_there_are(name: str) -> None:
    documented = (ROOT / "docs" / "services.md").read_text()
    asked = {metric for _, text in expressions(name) for metric in metrics_in(text)}
    assert asked
    strangers = [one for one in asked if f"`{one}`" not in documented]
    assert [one for one in strangers if not _PROCESS.fullmatch(one)] == []


@each
def test_a_dashboard_is_on_the_source_that_is_there(name: str) -> None:
    dashboard = json.loads((FOLDER / f"{name}.json").read_text())
    (source,) = provisioned("datasources/prometheus.yaml")["datasources"]
    assert dashboard["uid"] == f"leaky-{name}"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert {one["datasource"]["uid"] for one in panel["targets"]} == {source["uid"]}


def test_grafana_finds_them_and_begins_with_the_overview() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(DASHBOARDS)
    grafana = read("observability")["services"]["grafana"]
    (provider,) = provisioned("dashboards/leaky.yaml")["providers"]
    path = provider["options"]["path"]
    assert f"./grafana/dashboards:{path}:ro" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{path}/overview.json"
