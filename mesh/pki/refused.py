"""The one way in which certificates are wrong."""

from mesh.settings.source import SettingsError


class CertificateError(SettingsError):
    """A certificate, or what should be one, that is of no use; the message says what to do."""
