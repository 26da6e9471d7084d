"""Settings: typed, complete, and clear about what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.errors import SettingsError
from portal.settings import TRUST_PHRASE, Settings


def test_defaults_serve_on_loopback_with_two_origins() -> None:
    settings = Settings.from_environment({})
    assert settings.portal_origin_effective == "http://localhost:8000"
    assert settings.sandbox_origin_effective == "http://127.0.0.1:8001"
    assert settings.serves_loopback_only


def test_port_moves_both_origins() -> None:
    settings = Settings.from_environment({"PORT": "9100"})
    assert settings.portal_origin_effective == "http://localhost:9100"
    assert settings.gateway_port_effective == 9101


def test_every_bad_value_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"PORT": "eighty", "ALLOW_SIGN_UP": "perhaps"})
    assert "PORT='eighty'" in caught.value.message
    assert "ALLOW_SIGN_UP='perhaps'" in caught.value.message


def test_origins_on_one_host_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="different host names"):
        Settings.from_environment({"PORTAL_ORIGIN": "http://127.0.0.1:8000"})


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({}, True),
        ({"HOST": "0.0.0.0"}, False),
        ({"HOST": "0.0.0.0", "ALLOW_LOCAL_SANDBOXES_ON_NETWORK": "yes"}, False),
        ({"HOST": "0.0.0.0", "ALLOW_LOCAL_SANDBOXES_ON_NETWORK": TRUST_PHRASE}, True),
    ],
)
def test_local_sandboxes_need_loopback_or_so_many_words(environment: dict[str, str], allowed: bool) -> None:
    assert Settings.from_environment(environment).local_sandboxes_allowed is allowed


def test_settings_survive_the_way_to_a_child_process() -> None:
    settings = Settings.from_environment({"PORT": "9100", "ALLOW_SIGN_UP": "no", "SESSION_HOURS": "1.5"})
    assert Settings.from_environment(settings.to_environment()) == settings


def test_a_made_secret_key_is_kept_and_private(tmp_path: Path) -> None:
    settings = Settings(instance_dir=tmp_path)
    key = settings.load_secret_key()
    assert len(key) == 64
    assert settings.load_secret_key() == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_long_run_directory_is_refused_before_a_socket_fails() -> None:
    with pytest.raises(SettingsError, match="RUN_DIR"):
        Settings.from_environment({"RUN_DIR": "/tmp/" + "x" * 60})
