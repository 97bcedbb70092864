import os
import re
import stat
import threading
from pathlib import Path

import pytest

from dashboard.settings.model import (
    EXPECTED,
    SECRET_SETTINGS,
    Settings,
    SettingsError,
    ensure_secret_key,
    load_settings,
)
from scripts.generate_docs import pages

NO_FILE = Path(os.devnull)
ROOT = Path(__file__).parents[3]
SINGLE_SIGN_ON = ROOT / "docs" / "single-sign-on.md"


def load(**environ: str) -> Settings:
    return load_settings(environ, NO_FILE)


def test_nothing_needs_to_be_set():
    settings = load()
    assert (settings.port, settings.listen_host) == (8000, "127.0.0.1")
    assert (settings.log_level, settings.debug) == ("INFO", False)
    assert settings.release_query == "WorkflowType = 'ReleaseWorkflow'"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("SECRET_KEY", "short"),
        ("JWT_SECRET", "short"),
        ("SECRET_KEY_PREVIOUS", "short"),
        ("JWT_SECRET_PREVIOUS", "short"),
        ("REFRESH_TOKEN_DAYS", "0"),
        ("ACCESS_TOKEN_MINUTES", "-1"),
        ("API_CORS_ORIGINS", "example.com"),
        ("TRUSTED_PROXIES", "all"),
        ("TRUST_FORWARDED_HOST", "true"),
        ("REQUEST_TIMEOUT", "0"),
        ("RESPONSE_TIMEOUT", "soon"),
        ("MAX_CONNECTIONS", "all"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "0"),
        ("TRUSTED_HOSTS", "https://dash.example.com"),
        ("TRUSTED_HOSTS", "dash.example.com:8443"),
        ("TRUSTED_HOSTS", "a.example.com, *"),
        ("RELEASE_WORKFLOW_TYPE", "x' OR 1=1"),
        ("ENTITY_MAP", "nowhere.toml"),
        ("TEMPORAL_TIMEOUT", "soon"),
        ("TEMPORAL_UI_URL", "temporal.example.com"),
        ("TEMPORAL_UI_URL", "javascript:alert(1)"),
        ("TEMPORAL_UI_URL", "https://ui.example.com/?next=x"),
        ("TEMPORAL_UI_URL", "https://[::1"),
        ("VISIBILITY_RPS", "0"),
        ("STUCK_AFTER", "0"),
        ("WATCH_BUDGET", "0"),
        ("SNAPSHOT_MEMORY_MB", "8"),
        ("OIDC_ISSUER", "login.example.com"),
        ("OIDC_ISSUER", "http://login.example.com"),
        ("OIDC_ISSUER", "http://localhost.example.com"),
        ("OIDC_ISSUER", "https://login.example.com/?tenant=1"),
        ("OIDC_ISSUER", "https://user@login.example.com"),
        ("OIDC_ISSUER", "https://login.example.com/" + "x" * 255),
        ("OIDC_ISSUER", "https://[::1"),
        ("OIDC_CLIENT_ID", "without an issuer"),
        ("OIDC_SCOPES", "email profile"),
        ("OIDC_ROLES", "admins=admin"),
        ("OIDC_ROLES", '["admin"]'),
        ("OIDC_ROLES", '{"admins": "owner"}'),
        ("OIDC_ROLES", '{"admins": ["admin"]}'),
        ("OIDC_DEFAULT_ROLE", "owner"),
        ("OIDC_NAME", "x" * 41),
        ("OIDC_PASSWORD_LOGIN", "perhaps"),
        ("OIDC_PASSWORD_LOGIN", "false"),
        ("LOG_LEVEL", "LOUD"),
        ("DEBUG", "perhaps"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_takes(name: str, value: str):
    with pytest.raises(SettingsError) as refused:
        load(**{name: value})
    text = str(refused.value)
    assert text.startswith(f"{name}: got ")
    assert EXPECTED[name] in text
    assert (value in text) is (name not in SECRET_SETTINGS)


def test_every_wrong_value_is_named_at_once():
    with pytest.raises(SettingsError) as refused:
        load(PORT="x", DEBUG="perhaps")
    assert {line.partition(":")[0] for line in str(refused.value).splitlines()} == {"PORT", "DEBUG"}


def test_what_is_wrong_in_the_entity_map_is_named_with_the_file_and_beside_the_rest(tmp_path: Path):
    path = tmp_path / "map.toml"
    path.write_text('[workflow_types]\nDeployWave = "wave"\nX = "galaxy"\n[states]\nasleep = ["zzz"]\n')
    with pytest.raises(SettingsError) as refused:
        load(PORT="x", ENTITY_MAP=str(path))
    lines = str(refused.value).splitlines()
    assert lines[0] == (
        f"ENTITY_MAP: in {path}, workflow_types.X: got 'galaxy', takes one of wave, cluster, bundle, app"
    )
    assert lines[1].startswith(f"ENTITY_MAP: in {path}, states.asleep: no such phase; takes pending, ")
    assert lines[2].startswith("PORT: ")
    path.write_text('[workflow_types]\nDeployWave = "wave"\n')
    assert load(ENTITY_MAP=str(path)).entity_map.workflow_types == {"DeployWave": "wave"}


def test_an_empty_value_counts_as_not_given():
    assert load(PORT="", LOG_LEVEL=" ").port == 8000


def test_names_of_the_older_system_keep_working():
    secret = "j" * 40
    settings = load(
        TEMPORAL_HOST="temporal.internal",
        JWT_SECRET=secret,
        API_CORS_ORIGINS='["https://a.example", "https://b.example/"]',
        LOG_LEVEL="debug",
        DEBUG="1",
    )
    assert settings.temporal_environment == {"TEMPORAL_ADDRESS": "temporal.internal:7233"}
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == secret
    assert settings.api_cors_origins == ("https://a.example", "https://b.example")
    assert (settings.log_level, settings.debug) == ("DEBUG", True)


def test_the_standard_name_wins_over_the_older_one():
    settings = load(TEMPORAL_HOST="old:7233", TEMPORAL_ADDRESS="new:7233", TEMPORAL_NAMESPACE="prod")
    assert settings.temporal_environment == {"TEMPORAL_ADDRESS": "new:7233", "TEMPORAL_NAMESPACE": "prod"}


def test_the_address_of_temporals_own_pages_is_kept_from_temporals_own_settings():
    settings = load(TEMPORAL_UI_URL="https://temporal.example.com/ui/", TEMPORAL_NAMESPACE="prod")
    assert settings.temporal_ui_url == "https://temporal.example.com/ui"
    assert settings.temporal_environment == {"TEMPORAL_NAMESPACE": "prod"}


def test_trusted_hosts_are_names_in_any_case():
    settings = load(TRUSTED_HOSTS=" Dash.example.com, .example.net,[::1], localhost ,")
    assert settings.trusted_hosts == ("dash.example.com", ".example.net", "[::1]", "localhost")
    assert load(TRUSTED_HOSTS="").trusted_hosts == ()


def test_single_sign_on_takes_an_issuer_and_a_client():
    settings = load(
        OIDC_ISSUER=" https://login.example.com/realms/Ops/ ",
        OIDC_CLIENT_ID="dashboard",
        OIDC_SCOPES="openid  groups",
        OIDC_ROLES='{"ops": "operator", "admins": "admin"}',
        OIDC_PASSWORD_LOGIN="false",
    )
    assert settings.oidc_issuer == "https://login.example.com/realms/Ops/", "it is compared to the letter"
    assert (settings.oidc_scopes, settings.oidc_roles["ops"]) == ("openid groups", "operator")
    assert (settings.oidc_default_role, settings.oidc_password_login) == (None, False)
    for address in ("http://127.0.0.1:9000", "http://localhost", "http://[::1]:9000/x"):
        assert load(OIDC_ISSUER=address, OIDC_CLIENT_ID="dashboard").oidc_issuer == address
    with pytest.raises(SettingsError, match="OIDC_CLIENT_ID: got ''"):
        load(OIDC_ISSUER="https://login.example.com")
    assert load().oidc_password_login


def test_roles_stand_in_a_file_as_the_documentation_has_them(tmp_path: Path):
    line = next(
        line.strip() for line in SINGLE_SIGN_ON.read_text().splitlines() if line.strip().startswith("OIDC_ROLES=")
    )
    file = tmp_path / ".env"
    file.write_text(f"OIDC_ISSUER=https://login.example.com\nOIDC_CLIENT_ID=dashboard\n{line}\n")
    assert load_settings({}, file).oidc_roles == {"release-viewers": "viewer", "release-admins": "admin"}


def test_a_wrong_issuer_is_the_only_one_named():
    with pytest.raises(SettingsError) as refused:
        load(OIDC_ISSUER="nowhere", OIDC_CLIENT_ID="dashboard", OIDC_PASSWORD_LOGIN="false")
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == ["OIDC_ISSUER"]


def test_the_environment_wins_over_the_file(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text("PORT=9000\nLOG_LEVEL=ERROR\nTEMPORAL_NAMESPACE=staging\n")
    settings = load_settings({"PORT": "9001"}, file)
    assert (settings.port, settings.log_level) == (9001, "ERROR")
    assert settings.temporal_environment["TEMPORAL_NAMESPACE"] == "staging"


def test_secrets_are_not_in_what_is_printed():
    secret = "s" * 40
    settings = load(SECRET_KEY=secret, JWT_SECRET=secret, DATABASE_URL="postgresql://u:pw@h/d", TEMPORAL_API_KEY=secret)
    assert secret not in repr(settings)
    assert "pw" not in repr(settings)
    client = load(OIDC_ISSUER="https://login.example.com", OIDC_CLIENT_ID="x", OIDC_CLIENT_SECRET=secret)
    assert secret not in repr(client)


def test_a_secret_key_is_made_once_and_kept_for_the_owner_alone(tmp_path: Path):
    settings = Settings(data_dir=tmp_path / "var")
    keys = set()

    def ensure() -> None:
        key = ensure_secret_key(settings).secret_key
        assert key is not None
        keys.add(key.get_secret_value())

    threads = [threading.Thread(target=ensure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1
    path = tmp_path / "var" / "secret_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="DATA_DIR"):
        ensure_secret_key(Settings(data_dir=tmp_path / "file" / "var"))


def test_a_kept_key_that_was_cut_is_refused(tmp_path: Path):
    (tmp_path / "secret_key").write_text("abc")
    with pytest.raises(SettingsError, match="too short"):
        ensure_secret_key(Settings(data_dir=tmp_path))


@pytest.mark.parametrize("url", ["postgresql+psycopg://rita:hunter2@db/x", "postgresql://db/x", "mysql://db/x"])
def test_where_replicas_may_share_the_accounts_no_key_is_made(tmp_path: Path, url: str):
    settings = load(DATABASE_URL=url, DATA_DIR=str(tmp_path), SECRET_KEY="  ", JWT_SECRET="j" * 32)
    with pytest.raises(SettingsError, match=r"^SECRET_KEY: not given\. Expected: at least 32 characters") as refused:
        ensure_secret_key(settings)
    assert "secrets.token_hex" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []

    # From before a key had to be given.
    kept = tmp_path / "secret_key"
    kept.write_text("s" * 64)
    with pytest.raises(SettingsError, match=re.escape(f"set it to the key in {kept}")) as refused:
        ensure_secret_key(settings)
    assert "sss" not in str(refused.value)
    assert ensure_secret_key(load(DATABASE_URL=url, SECRET_KEY="s" * 64)).secret_key


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_accounts_in_a_file_take_the_key_that_is_kept(tmp_path: Path, scheme: str):
    settings = load(DATABASE_URL=f"{scheme}:///{tmp_path}/accounts.db", DATA_DIR=str(tmp_path))
    assert ensure_secret_key(settings).secret_key


def test_a_setting_says_its_type_and_range():
    assert EXPECTED["PORT"] == "integer, 1 to 65535"
    assert EXPECTED["TEMPORAL_TIMEOUT"] == "number, 0.2 to 30"
    assert EXPECTED["LOG_LEVEL"] == "DEBUG, INFO, WARNING or ERROR"
    assert EXPECTED["OIDC_DEFAULT_ROLE"] == "viewer, operator or admin"
    assert (EXPECTED["DEBUG"], EXPECTED["JWT_SECRET"]) == ("true or false", "at least 32 characters")


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_setting_is_described(name: str):
    description = Settings.model_fields[name.lower()].description
    assert description
    assert description.endswith(".")


@pytest.mark.parametrize("name", sorted(pages()))
def test_what_is_generated_of_the_documentation_is_current(name: str):
    assert (ROOT / name).read_text() == pages()[name], "run `make docs`"
