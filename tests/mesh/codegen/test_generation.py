"""`python -m mesh.codegen`: complete, the same every time, and able to say what is stale."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mesh.codegen import tree
from mesh.codegen.__main__ import ROOT, generate


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gen")
    generate(folder)
    return folder


def codegen(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 fixed commands
        [sys.executable, "-m", "mesh.codegen", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_gen_is_what_proto_says(fresh: Path) -> None:
    assert tree.differences(fresh, ROOT / "gen") == []


def test_generating_twice_gives_the_same_bytes(fresh: Path, tmp_path: Path) -> None:
    generate(tmp_path)
    assert tree.differences(fresh, tmp_path) == []


def test_the_check_names_what_is_stale_and_writes_nothing(fresh: Path, tmp_path: Path) -> None:
    tree.update(fresh, tmp_path)
    assert codegen("--check", "--out", str(tmp_path)).returncode == 0
    edited = tmp_path / "leaky" / "client" / "models.py"
    edited.write_text("# by hand\n")
    done = codegen("--check", "--out", str(tmp_path))
    assert done.returncode == 1
    assert "leaky/client/models.py is stale" in done.stderr
    assert edited.read_text() == "# by hand\n"


def test_only_what_differs_is_written_and_what_is_no_longer_generated_goes(
    fresh: Path, tmp_path: Path
) -> None:
    tree.update(fresh, tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*") if path.is_file()}
    edited, surplus = tmp_path / "leaky" / "comments.json", tmp_path / "leaky" / "old_pb2.py"
    edited.write_text("{}")
    surplus.touch()
    (tmp_path / "notes.txt").touch()
    tree.update(fresh, tmp_path)
    assert tree.differences(fresh, tmp_path) == []
    assert (surplus.exists(), (tmp_path / "notes.txt").exists()) == (False, True)
    after = {path: path.stat().st_ino for path in before}
    assert {path for path in before if before[path] != after[path]} <= {edited}


def test_files_without_a_service_have_no_stub_module(fresh: Path) -> None:
    stubs = list(fresh.rglob("*_pb2_grpc.py*"))
    assert stubs
    assert all("_service_pb2_grpc" in path.name for path in stubs)


def test_the_runtime_is_copied_byte_for_byte(fresh: Path) -> None:
    source, target = ROOT / "mesh" / "codegen" / "runtime", fresh / "leaky" / "client" / "_runtime"
    names = {path.name for path in source.glob("*.py")}
    assert names == {path.name for path in target.iterdir()}
    assert all((source / name).read_bytes() == (target / name).read_bytes() for name in names)


def test_comments_are_kept_by_full_name(fresh: Path) -> None:
    comments = json.loads((fresh / "leaky" / "comments.json").read_text())
    assert list(comments) == sorted(comments)
    assert comments["leaky.token.v1.QuotaService"] == "Token pools."
    assert comments["leaky.token.v1.QuotaService.GetQuota"] == "A user's pool; never makes one."
    assert comments["leaky.token.v1.Quota.remaining_tokens"] == "What is left of both."
    assert (
        comments["leaky.common.v1.REASON_INTERNAL"] == "A fault of ours, logged with the trace id."
    )
    wrapped = comments["leaky.token.v1.QuotaService.UpdateOrgQuota"]
    assert wrapped.endswith("what was used of the current window stays used.")
    assert not any(name.startswith("google.") for name in comments)
