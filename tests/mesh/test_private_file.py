import stat
from pathlib import Path

import pytest

from mesh.private_file import create_private, write_private


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_whole_and_only_its_owner_reads_it(
    tmp_path: Path,
    durable: bool,  # noqa: FBT001
) -> None:
    target = tmp_path / "settings.json"
    target.write_text("old")
    target.chmod(0o644)
    write_private(target, "new", durable=durable)
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    target = tmp_path / "ca.pem"
    for _ in range(2):
        create_private(target, "first")
        assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("first", 0o600)
        assert list(tmp_path.iterdir()) == [target]


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "ca.pem"
    create_private(target, "first")
    create_private(target, "second")
    assert target.read_text() == "first"


def test_what_cannot_be_replaced_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(OSError, match="kept"):
        write_private(tmp_path / "kept", "new")
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]
