from pathlib import Path

import pytest

from mesh.consul.token import token_of
from mesh.settings import MeshSettings
from mesh.settings.source import SettingsError


def settings(**token: str) -> MeshSettings:
    return MeshSettings.model_validate({"token": token})


def test_the_token_comes_before_its_file_and_both_before_none(tmp_path: Path) -> None:
    file = tmp_path / "token.token"
    file.write_text("from-file\n")
    assert token_of(settings(), "token") is None
    assert token_of(settings(consul_token_file=str(file)), "token") == "from-file"
    both = settings(consul_token="given", consul_token_file=str(file))
    assert token_of(both, "token") == "given"
    assert token_of(both, "auth") is None


def test_a_file_without_a_token_is_named(tmp_path: Path) -> None:
    for content in (b" \n", b"\xff"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(SettingsError, match=str(tmp_path / "x")):
            token_of(settings(consul_token_file=str(tmp_path / "x")), "token")
    with pytest.raises(SettingsError, match="cannot be read"):
        token_of(settings(consul_token_file=str(tmp_path)), "token")
