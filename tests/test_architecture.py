"""The house rules of docs/architecture.md, read from the code; and proof that they can fail."""

import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVICES = tuple(
    sorted(path.name for path in ROOT.glob("svc_*") if (path / "__init__.py").exists())
)
SHARED = ("mesh", "providers")
Rule = Callable[[grimp.ImportGraph], Iterator[str]]
OURS = (*SHARED, *SERVICES, "tests", "bench", "scripts")

# Which rooms of the same service each room may import, besides itself.
ROOMS = {
    "domain": set[str](),
    "ports": {"domain"},
    "usecases": {"domain", "ports", "settings"},
    "stores": {"domain", "ports", "settings"},
    "servicers": {"domain", "usecases"},
    "workers": {"domain", "ports", "usecases", "settings"},
    "settings": {"domain", "ports"},
}
# What puts concrete classes together; `leaky admin create` does, too, in a process of its own.
WIRING = {"wiring", "wiring_keys", "wiring_oauth2", "admin", "admin_oauth2"}
LONGEST = 400
EMPTY_NAMES = re.compile(r"utils?|helpers?|common|misc|manager|base")


def broken_walls(graph: grimp.ImportGraph) -> Iterator[str]:
    """mesh and providers know no service, and no service another."""
    for importer, imported in _imports(graph):
        mine, theirs = importer.split(".")[0], imported.split(".")[0]
        if theirs.startswith("svc_") and mine != theirs:
            yield f"{importer} imports {imported}"


def broken_rooms(graph: grimp.ImportGraph) -> Iterator[str]:
    """Inside a service: servicers -> usecases -> domain and ports; only wiring imports stores."""
    for importer, imported in _imports(graph):
        mine, theirs = importer.split("."), imported.split(".")
        if not mine[0].startswith("svc_") or mine[0] != theirs[0]:
            continue
        room, other = _room(mine), _room(theirs)
        if room in WIRING or room == other:
            continue
        # Other files of a service may use all but what is put together elsewhere.
        allowed = ROOMS.get(room, ROOMS.keys() - {"stores"})
        if other in WIRING or (other in ROOMS and other not in allowed):
            yield f"{importer} imports {imported}"


def impure_domain(graph: grimp.ImportGraph) -> Iterator[str]:
    """A domain imports the standard library and itself."""
    for importer, imported in _imports(graph):
        mine = importer.split(".")
        if not mine[0].startswith("svc_") or _room(mine) != "domain":
            continue
        itself = imported == f"{mine[0]}.domain" or imported.startswith(f"{mine[0]}.domain.")
        if not itself and imported.split(".")[0] not in sys.stdlib_module_names:
            yield f"{importer} imports {imported}"


def strays_of_jose(graph: grimp.ImportGraph) -> Iterator[str]:
    """python-jose has one door."""
    for importer, imported in _imports(graph):
        if imported.split(".")[0] == "jose" and importer != "mesh.identity.jose":
            yield f"{importer} imports {imported}"


def too_long(files: Iterable[Path]) -> Iterator[str]:
    """A file past 400 lines does too much."""
    for file in files:
        lines = len(file.read_text().splitlines())
        if lines > LONGEST:
            yield f"{file} has {lines} lines"


def empty_names(files: Iterable[Path]) -> Iterator[str]:
    """Names that would fit anything say nothing."""
    for file in files:
        if any(EMPTY_NAMES.fullmatch(part) for part in (*file.parts[:-1], file.stem)):
            yield str(file)


def without_init(files: Iterable[Path]) -> Iterator[str]:
    """A folder that is no package would be invisible to the rules above."""
    folders = {file.parent for file in files if "migrations" not in file.parts}
    for folder in sorted(folders):
        if not (folder / "__init__.py").exists():
            yield str(folder)


def _imports(graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            yield importer, imported


def _room(module: list[str]) -> str:
    return module[1] if len(module) > 1 else ""


def _files(*roots: str) -> list[Path]:
    found = itertools.chain.from_iterable((ROOT / root).rglob("*.py") for root in roots)
    return sorted(file.relative_to(ROOT) for file in found)


@pytest.fixture(scope="module")
def house() -> grimp.ImportGraph:
    return grimp.build_graph(*SHARED, *SERVICES, include_external_packages=True, cache_dir=None)


RULES = (broken_walls, broken_rooms, impure_domain, strays_of_jose)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_imports_keep(rule: Rule, house: grimp.ImportGraph) -> None:
    assert list(rule(house)) == []


def test_no_file_is_too_long() -> None:
    assert list(too_long(_files(*OURS))) == []


def test_no_name_says_nothing() -> None:
    assert list(empty_names(_files(*OURS))) == []


def test_every_folder_of_code_is_a_package() -> None:
    assert list(without_init(_files(*SHARED, *SERVICES))) == []


def test_folders_of_configuration_are_no_packages() -> None:
    folders = [ROOT / name for name in ("consul", "compose", "proto")]
    assert [file for folder in folders for file in folder.rglob("__init__.py")] == []


# What a planted module imports, the rule that must see it, and the pair it must name.
PLANTED = [
    ("mesh_x/edge.py", "svc_a.domain", broken_walls),
    ("svc_a/usecases/take.py", "svc_b.ports", broken_walls),
    ("svc_a/usecases/take.py", "svc_a.stores.sql", broken_rooms),
    ("svc_a/usecases/take.py", "svc_a.servicers", broken_rooms),
    ("svc_a/servicers.py", "svc_a.stores.sql", broken_rooms),
    ("svc_a/servicers.py", "svc_a.ports", broken_rooms),
    ("svc_a/stores/sql.py", "svc_a.usecases.take", broken_rooms),
    ("svc_a/ports.py", "svc_a.usecases.take", broken_rooms),
    ("svc_a/domain.py", "svc_a.ports", broken_rooms),
    ("svc_a/other.py", "svc_a.stores.sql", broken_rooms),
    ("svc_a/usecases/take.py", "svc_a.wiring", broken_rooms),
    ("svc_a/domain.py", "mesh_x.edge", impure_domain),
    ("svc_a/domain.py", "grpc", impure_domain),
    ("svc_a/domain.py", "svc_a.settings", impure_domain),
    ("mesh_x/edge.py", "jose.jws", strays_of_jose),
]
LAWFUL = {
    "mesh_x/edge.py": "grpc",
    "svc_a/domain.py": "dataclasses",
    "svc_a/ports.py": "svc_a.domain",
    "svc_a/usecases/take.py": "svc_a.ports",
    "svc_a/servicers.py": "svc_a.usecases.take",
    "svc_a/stores/sql.py": "svc_a.ports",
    "svc_a/settings.py": "mesh_x.edge",
    "svc_a/wiring.py": "svc_a.stores.sql",
    "svc_a/other.py": "svc_a.domain",
    "svc_b/ports.py": "typing",
}


def _built(
    root: Path, monkeypatch: pytest.MonkeyPatch, planted: dict[str, str]
) -> grimp.ImportGraph:
    for file, imported in LAWFUL.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(f"import {imported}\n")
    for file, imported in planted.items():
        with (root / file).open("a") as module:
            module.write(f"def late():\n    import {imported}\n")
    monkeypatch.syspath_prepend(root)
    return grimp.build_graph(
        "mesh_x", "svc_a", "svc_b", include_external_packages=True, cache_dir=None
    )


def test_a_lawful_house_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = _built(tmp_path, monkeypatch, {})
    assert [broken for rule in RULES for broken in rule(graph)] == []


@pytest.mark.parametrize(("file", "imported", "rule"), PLANTED)
def test_a_planted_import_is_seen(
    file: str, imported: str, rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = _built(tmp_path, monkeypatch, {file: imported})
    importer = file.removesuffix(".py").replace("/", ".")
    # An external package is one node, whatever is imported of it.
    seen = "jose" if imported == "jose.jws" else imported
    assert list(rule(graph)) == [f"{importer} imports {seen}"]


def test_a_planted_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("x = 1\n" * (LONGEST + 1))
    (tmp_path / "short.py").write_text("x = 1\n" * LONGEST)
    assert list(too_long([tmp_path / "long.py", tmp_path / "short.py"])) == [
        f"{tmp_path / 'long.py'} has 401 lines"
    ]
    assert list(without_init([tmp_path / "long.py"])) == [str(tmp_path)]
    names = [Path("mesh/utils.py"), Path("mesh/helpers/x.py"), Path("mesh/database.py")]
    assert list(empty_names(names)) == ["mesh/utils.py", "mesh/helpers/x.py"]
