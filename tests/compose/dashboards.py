"""What the panels of the dashboards ask Prometheus."""

import json
from collections.abc import Iterator

from tests.compose.files import COMPOSE

FOLDER = COMPOSE / "grafana" / "dashboards"
DASHBOARDS = ("overview", "business", "gateway", "system")


def expressions(dashboard: str) -> Iterator[tuple[str, str]]:
    """Every query, with its panel's title, as it stands in the file."""
    for panel in json.loads((FOLDER / f"{dashboard}.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def filled_in(expression: str, *, window: str) -> str:
    """As Grafana asks it: rates over this window, of all services."""
    return expression.replace("$__rate_interval", window).replace("$service", ".*")
