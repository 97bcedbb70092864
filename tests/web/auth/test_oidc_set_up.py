"""What single sign-on takes: its extra, and over https a certificate that is trusted."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from dashboard.app import create_app
from dashboard.auth.accounts import Accounts
from dashboard.settings.model import Settings
from dashboard.web.services import services
from tests.support.oidc_provider import provided, sent_back
from tests.support.refused_inputs import failures

pytestmark = pytest.mark.integration


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of this machine by an authority of its own, and its key: two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, SHA256())
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(signed.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(files[0]), str(files[1])


def test_over_https_a_provider_has_to_have_a_certificate_that_is_trusted(
    settings: Settings, accounts: Accounts, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    with provided(host="localhost", certificate=certificate) as provider:
        named = settings.model_copy(update=provider.settings())
        statuses = []
        for trusted in (None, certificate[0]):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", trusted)
            app = create_app(named, accounts=accounts)
            browser = app.test_client()
            begun = browser.get("/login/oidc")
            statuses.append(begun.status_code)
            if begun.status_code == 302:
                statuses.append(browser.get(sent_back(begun.location)).status_code)
            services(app).sign_on.provider.close()

    assert statuses == [503, 302, 303]
    assert failures(accounts) == [(None, "provider_unreachable")]


def test_settings_that_ask_for_it_without_the_extra_say_what_to_install(tmp_path: object):
    script = (
        "import sys; sys.modules['authlib'] = None\n"
        "from dashboard.app import create_app\n"
        "from dashboard.settings.model import SettingsError, load_settings\n"
        "try: create_app(load_settings())\n"
        "except SettingsError as exc: print(exc)\n"
    )
    named = {"OIDC_ISSUER": "https://login.example.com", "OIDC_CLIENT_ID": "dashboard", "DATA_DIR": str(tmp_path)}
    argv = [sys.executable, "-c", script]
    told = subprocess.run(argv, env=named, capture_output=True, text=True, timeout=60, check=True)
    without = subprocess.run(
        argv, env={"DATA_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=True
    )

    assert "pip install 'release-dashboard[oidc]'" in told.stdout
    assert without.stdout == ""
