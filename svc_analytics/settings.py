"""The settings of the analytics service."""

from typing import Annotated

from pydantic import Field

from mesh.settings import MeshSettings, Ports, Section
from mesh.settings.model import Duration, database

DAY_SECONDS = 86_400.0


class UsageSource(Section):
    """Where usage events come from, beside those that are sent over gRPC."""

    source: str = "grpc://"
    topic: str = "token-usage"
    group: str = "analytics"


class AnalyticsSection(Ports):
    """`store` empty is a SQLite file under the data folder; `retention` is in seconds."""

    store: str = database()
    usage: UsageSource = UsageSource()
    retention: Annotated[Duration, Field(gt=0)] = 90 * DAY_SECONDS


class AnalyticsSettings(MeshSettings):
    """Everything that the analytics service reads."""

    analytics: AnalyticsSection = AnalyticsSection(http_port=8083, grpc_port=9083)

    @property
    def store_url(self) -> str:
        """Where the events live."""
        return self.analytics.store or f"sqlite:///{self.data / 'analytics.db'}"
