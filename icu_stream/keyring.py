"""Passwords, keys and certificates of a new deployment, each a file, made once.

No deployment has a password that another one has, and none is written anywhere but here.
What is there already is left as it is, so running it again adds what is missing: delete a
file to have it made anew. The directory is its owner's alone (0700), which is what guards
it; the files are readable (0444), since in a container each is seen by another user.
"""

import datetime as dt
import ipaddress
import secrets

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from icu_stream import clock, permissions
from icu_stream.errors import ConfigurationError


BROKERS = ("kafka-1", "kafka-2", "kafka-3")
# Ours: an authority for ten years; what it signs for two, so that renewing is practised.
AUTHORITY_DAYS, SIGNED_DAYS = 3650, 730
PASSWORD_BYTES = 24

# Which file each process finds in its directory, and whose password it is.
_DATABASE = "icu_postgres_password"
_HISTORY = "icu_influx_password"
SHARED: dict[str, tuple[tuple[str, str], ...]] = {
    "postgres/password": (
        ("archive", _DATABASE),
        ("api", _DATABASE),
        ("pager", _DATABASE),
        ("ward", _DATABASE),
        ("ward", "icu_accounts_password"),
        ("api", "icu_accounts_password"),
    ),
    "influx/password": (("archive", _HISTORY), ("api", _HISTORY), ("ward", _HISTORY)),
}
ALONE = ("grafana/password",)


class Made(NamedTuple):
    """What was made and what was there already, as paths below the directory."""

    new: list[str]
    kept: list[str]


def make(
    directory: Path, brokers: Sequence[str] = BROKERS, hosts: Sequence[str] = ()
) -> Made:
    """Make what is missing below a directory.

    Args:
        directory: Of its owner alone; made when it is not there.
        brokers: Names of the brokers: one certificate each.
        hosts: Names and addresses by which browsers reach the proxy; localhost always.

    Raises:
        ConfigurationError: The directory is open to others, or a file of the authority
            is missing while the other is there.
    """
    if not directory.exists():
        directory.mkdir(mode=0o700, parents=True)
    if directory.stat().st_mode & 0o077:
        msg = f"{directory} is open to others; run: chmod 700 {directory}"
        raise ConfigurationError(msg)
    drawer = _Drawer(directory)
    for process in permissions.RIGHTS:
        drawer.put(f"{process}/icu_sasl_password", _password())
    for origin, copies in SHARED.items():
        password = drawer.put(origin, _password())
        for process, name in copies:
            drawer.put(f"{process}/{name}", password)
    for path in ALONE:
        drawer.put(path, _password())
    authority = _authority(drawer)
    for broker in brokers:
        # Kafka wants the key and its certificates in one file.
        drawer.pair(f"kafka/{broker}.pem", None, broker, [broker], authority)
    drawer.pair("admin/admin.pem", "admin/admin.key", "admin", [], authority)
    drawer.pair("proxy/proxy.pem", "proxy/proxy.key", "proxy", hosts, authority)
    return Made(drawer.new, drawer.kept)


def passwords(directory: Path) -> dict[str, str]:
    """The password of each process for Kafka.

    Raises:
        ConfigurationError: A file is not there or cannot be read.
    """
    found = {}
    for process in permissions.RIGHTS:
        path = directory / process / "icu_sasl_password"
        try:
            found[process] = path.read_text().strip()
        except OSError as error:
            msg = f"{path}: {error.strerror}; run: icu-stream secrets {directory}"
            raise ConfigurationError(msg) from error
    return found


def _password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


class _Authority(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class _Drawer:
    """Puts files below a directory, and never over one that is there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.new: list[str] = []
        self.kept: list[str] = []

    def has(self, name: str) -> bool:
        return (self._directory / name).exists()

    def read(self, name: str) -> str:
        return (self._directory / name).read_text()

    def put(self, name: str, text: str) -> str:
        """Write a file that is not there; returns what the file holds."""
        path = self._directory / name
        if path.exists():
            self.kept.append(name)
            return path.read_text()
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o444)
        self.new.append(name)
        return text

    def pair(
        self,
        certificate: str,
        key: str | None,
        name: str,
        hosts: Iterable[str],
        authority: _Authority,
    ) -> None:
        """A key and what the authority says of it; together when `key` is None."""
        if self.has(certificate):
            self.kept.append(certificate)
            return
        own = ec.generate_private_key(ec.SECP256R1())
        signed = _sign(own.public_key(), name, authority, hosts)
        chain = _pem(signed) + _pem(authority.certificate)
        if key is None:
            self.put(certificate, _key_pem(own) + chain)
        else:
            if self.has(key):
                (self._directory / key).unlink()  # it fits no certificate any more
            self.put(key, _key_pem(own))
            self.put(certificate, chain)


def _authority(drawer: _Drawer) -> _Authority:
    public, private = "authority/ca.pem", "authority/ca.key"
    if drawer.has(public) != drawer.has(private):
        msg = f"want both or neither of {public} and {private}: nothing can be signed"
        raise ConfigurationError(msg)
    if not drawer.has(public):
        key = ec.generate_private_key(ec.SECP256R1())
        drawer.put(public, _pem(_sign(key.public_key(), "icu-stream CA", key)))
        drawer.put(private, _key_pem(key))
        return _Authority(_certificate(drawer.read(public)), key)
    drawer.kept += [public, private]
    loaded = serialization.load_pem_private_key(drawer.read(private).encode(), None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        msg = f"{private}: want a key on an elliptic curve"
        raise ConfigurationError(msg)
    return _Authority(_certificate(drawer.read(public)), loaded)


def _sign(
    public: ec.EllipticCurvePublicKey,
    name: str,
    by: _Authority | ec.EllipticCurvePrivateKey,
    hosts: Iterable[str] = (),
) -> x509.Certificate:
    """A certificate by an authority; by a key alone, of the authority itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_authority = not isinstance(by, _Authority)
    issuer = subject if not isinstance(by, _Authority) else by.certificate.subject
    key = by if not isinstance(by, _Authority) else by.key
    now = dt.datetime.fromtimestamp(clock.now_ms() / 1000, dt.UTC)
    days = AUTHORITY_DAYS if is_authority else SIGNED_DAYS
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # Clocks of a ward differ by minutes.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=None), critical=True
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
            critical=False,
        )
    )
    if is_authority:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        names = [_host(host) for host in dict.fromkeys((*hosts, *_OWN))]
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(
            x509.SubjectAlternativeName(names), critical=False
        ).add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return builder.sign(key, hashes.SHA256())


_OWN = ("localhost", "127.0.0.1")


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _certificate(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text.encode())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
