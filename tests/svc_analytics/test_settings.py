from pathlib import Path

import pytest

from mesh.settings import Live
from mesh.settings.source import SettingsError
from svc_analytics.settings import AnalyticsSettings


def read(tmp_path: Path, **env: str) -> AnalyticsSettings:
    variables = {"LEAKY_DATA": str(tmp_path)} | env
    return Live.read(AnalyticsSettings, variables).current


def test_events_are_kept_ninety_days_in_a_file_under_data(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.analytics.retention == 90 * 24 * 3600
    assert settings.store_url == f"sqlite:///{tmp_path}/analytics.db"
    assert (settings.analytics.http_port, settings.analytics.grpc_port) == (8083, 9083)


def test_store_and_retention_can_be_set(tmp_path: Path) -> None:
    settings = read(
        tmp_path, LEAKY_ANALYTICS_STORE="sqlite:///x.db", LEAKY_ANALYTICS_RETENTION="12h"
    )
    assert settings.store_url == "sqlite:///x.db"
    assert settings.analytics.retention == 12 * 3600


def test_no_retention_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"analytics\.retention"):
        read(tmp_path, LEAKY_ANALYTICS_RETENTION="0s")
