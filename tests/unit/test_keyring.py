"""Secrets of a new deployment: each its own, made once, never over what is there."""

import ssl
import stat

from pathlib import Path

import pytest

from cryptography import x509

from icu_stream import keyring, permissions
from icu_stream.errors import ConfigurationError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secrets") / "new"
    keyring.make(directory, hosts=["ward.example", "192.0.2.7"])
    return directory


def test_no_two_processes_share_a_password_for_kafka(made: Path):
    found = keyring.passwords(made)

    assert found.keys() == permissions.RIGHTS.keys()
    assert len(set(found.values())) == len(found)
    assert min(map(len, found.values())) >= 32


def test_a_process_finds_the_password_of_the_database_that_it_uses(made: Path):
    for origin, copies in keyring.SHARED.items():
        wanted = (made / origin).read_text()

        assert {(made / who / name).read_text() for who, name in copies} == {wanted}


def test_the_directory_is_its_owners_alone(made: Path):
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_nothing_that_is_there_is_made_anew(made: Path):
    before = {p: p.read_text() for p in made.rglob("*") if p.is_file()}

    again = keyring.make(made)

    assert again.new == []
    assert {p: p.read_text() for p in before} == before


def test_a_certificate_that_was_deleted_is_signed_anew_by_the_same_authority(
    made: Path,
):
    before = (made / "proxy" / "proxy.key").read_text()
    (made / "proxy" / "proxy.pem").unlink()

    again = keyring.make(made, hosts=["ward.example"])

    assert set(again.new) == {"proxy/proxy.pem", "proxy/proxy.key"}
    assert (made / "proxy" / "proxy.key").read_text() != before
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made / "proxy" / "proxy.pem", made / "proxy" / "proxy.key")


def test_a_certificate_names_what_it_is_for(made: Path):
    text = (made / "kafka" / "kafka-2.pem").read_text()
    [own, authority] = x509.load_pem_x509_certificates(text.encode())
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName)

    own.verify_directly_issued_by(authority)
    assert names.value.get_values_for_type(x509.DNSName) == ["kafka-2", "localhost"]


def test_a_directory_that_is_open_to_others_is_refused(tmp_path: Path):
    tmp_path.chmod(0o755)

    with pytest.raises(ConfigurationError, match="chmod 700"):
        keyring.make(tmp_path)


def test_half_an_authority_is_refused(tmp_path: Path):
    directory = tmp_path / "half"
    keyring.make(directory)
    (directory / "authority" / "ca.key").unlink()

    with pytest.raises(ConfigurationError, match=r"ca\.key"):
        keyring.make(directory)


def test_a_password_that_is_missing_names_its_file_and_the_command(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="icu-stream secrets"):
        keyring.passwords(tmp_path)
