"""Settings: typed, from environment and file, live where marked; see docs/configuration.md."""

from mesh.settings.live import Live
from mesh.settings.model import Deadlines, MeshSettings, Ports, Section, live

__all__ = ["Deadlines", "Live", "MeshSettings", "Ports", "Section", "live"]
