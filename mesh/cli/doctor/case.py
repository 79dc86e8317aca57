"""What is examined: the settings as the services would read them here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.cli.doctor.finding import Finding, fail
from mesh.cli.services import settings_models
from mesh.settings import MeshSettings
from mesh.settings.remote import LastGood, load_shared
from mesh.settings.source import FILE, SettingsError, load, read_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`services` are the settings of each service whose settings are valid.

    `values` are those of settings.json, which a Consul registry takes the place of.
    """

    env: Mapping[str, str]
    data: Path
    values: Mapping[str, str]
    services: Mapping[str, MeshSettings]

    @property
    def any(self) -> MeshSettings | None:
        """What the services have in common; None when no service's settings are valid."""
        return next(iter(self.services.values()), None)


def open_case(env: Mapping[str, str], chosen: Sequence[str]) -> tuple[Case, Sequence[Finding]]:
    """The case of these services, and what is wrong with their settings."""
    try:
        start = load(MeshSettings, env, {})
        values = {} if start.uses_consul else read_file(start.data)
    except SettingsError as error:
        return _nothing(env), [_refused("settings", error)]
    models = settings_models()
    services: dict[str, MeshSettings] = {}
    problems: dict[str, Finding] = {}
    for name, model in ((name, models[name]) for name in chosen):
        kept = LastGood(start.data, name).read() or {} if start.uses_consul else values
        try:
            services[name] = (load_shared if start.uses_consul else load)(model, env, kept)
        except SettingsError as error:
            # What all services read is wrong in each of them, and said once.
            problems.setdefault(str(error), _refused(name, error))
    case = Case(env=env, data=start.data, values=values, services=services)
    return case, list(problems.values())


def _nothing(env: Mapping[str, str]) -> Case:
    return Case(env=env, data=Path(env.get("LEAKY_DATA", ".leaky")), values={}, services={})


def _refused(subject: str, error: SettingsError) -> Finding:
    return fail(
        subject,
        f"refuses its settings: {error}",
        f"Correct what is named in the environment, in {FILE} (leaky config set) or in Consul KV.",
    )
