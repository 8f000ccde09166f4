"""The development CA makes what the demo needs, keeps it while it is right, and says what it is."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.devca import LABEL, VALID_DAYS, DevCa, Issued, NotOurs

URI = "spiffe://example.org/erp"


def certificate(files: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files.certificate_file.read_bytes())


def made_old(files: Issued, signer: Path) -> None:
    """Replaces a certificate by the same one, about to expire."""
    old = certificate(files)
    key = serialization.load_pem_private_key(signer.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = x509.CertificateBuilder(
        old.issuer, old.subject, old.public_key(), 1, old.not_valid_before_utc, datetime.now(UTC) + timedelta(hours=1)
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    files.certificate_file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def test_both_ends_trust_each_other(tmp_path: Path) -> None:
    """A server and a client with these files complete mutual TLS, host name check included."""
    ca = DevCa.open_or_create(tmp_path)
    server, client = ca.server("server"), ca.client("erp", URI)
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=ca.ca_file)
    theirs.load_cert_chain(server.certificate_file, server.key_file)
    theirs.load_verify_locations(ca.ca_file)
    theirs.verify_mode = ssl.CERT_REQUIRED
    ours.load_cert_chain(client.certificate_file, client.key_file)
    for name in ("localhost", "127.0.0.1"):
        assert shaken(theirs, ours, name)["subjectAltName"] == (("URI", URI),)


def shaken(theirs: ssl.SSLContext, ours: ssl.SSLContext, name: str) -> dict[str, object]:
    """The client's certificate as the server sees it, after a handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = theirs.wrap_bio(up, down, server_side=True)
    client = ours.wrap_bio(down, up, server_hostname=name)
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass  # the other end's turn
    return dict(server.getpeercert() or {})


def test_everything_says_what_it_is(tmp_path: Path) -> None:
    """Nobody can take these for real certificates: the subject says so, and they end soon."""
    ca = DevCa.open_or_create(tmp_path)
    for found in (certificate(Issued(ca.ca_file, tmp_path / "ca.key")), certificate(ca.client("erp", URI))):
        assert LABEL in found.subject.rfc4514_string()
        assert found.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=VALID_DAYS)


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """No key can be read by anybody else."""
    ca = DevCa.open_or_create(tmp_path / "tls")
    ca.client("erp", URI)
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "tls").iterdir()}
    assert modes == dict.fromkeys(("ca.pem", "ca.key", "erp.pem", "erp.key"), 0o600)


def test_valid_ones_are_kept(tmp_path: Path) -> None:
    """Starting the demo again changes nothing while everything is valid."""
    ca = DevCa.open_or_create(tmp_path)
    ca.server("server")
    ca.client("erp", URI)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    again = DevCa.open_or_create(tmp_path)
    again.server("server")
    again.client("erp", URI)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_expiring_one_is_replaced(tmp_path: Path) -> None:
    """A certificate in its last day is replaced; the authority stays."""
    ca = DevCa.open_or_create(tmp_path)
    files = ca.client("erp", URI)
    made_old(files, tmp_path / "ca.key")
    renewed = certificate(DevCa.open_or_create(tmp_path).client("erp", URI))
    assert renewed.not_valid_after_utc - datetime.now(UTC) > timedelta(days=VALID_DAYS - 1)
    renewed.verify_directly_issued_by(certificate(Issued(ca.ca_file, tmp_path / "ca.key")))


def test_expiring_authority_takes_its_certificates_along(tmp_path: Path) -> None:
    """After a new authority, what the old one signed is made anew, or nobody would trust it."""
    ca = DevCa.open_or_create(tmp_path)
    before = certificate(ca.client("erp", URI))
    made_old(Issued(ca.ca_file, tmp_path / "ca.key"), tmp_path / "ca.key")
    renewed = DevCa.open_or_create(tmp_path)
    after = certificate(renewed.client("erp", URI))
    assert after != before
    after.verify_directly_issued_by(certificate(Issued(renewed.ca_file, tmp_path / "ca.key")))


def test_other_names_make_another_certificate(tmp_path: Path) -> None:
    """A certificate for other names is not the one that was asked for."""
    ca = DevCa.open_or_create(tmp_path)
    before = certificate(ca.server("server"))
    after = certificate(ca.server("server", dns=["causeway.local"], ips=[]))
    assert before != after
    names = after.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["causeway.local"]


@pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
def test_strangers_files_are_left_alone(tmp_path: Path, name: str) -> None:
    """A folder with somebody else's files is refused: a real key must never be written over."""
    (tmp_path / name).write_text("a real one")
    with pytest.raises(NotOurs, match="choose another folder"):
        DevCa.open_or_create(tmp_path)
    assert (tmp_path / name).read_text() == "a real one"


@pytest.mark.parametrize("name", ["ca", "", "../x", "a/b"])
def test_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    """A name cannot lead out of the folder or onto the authority itself."""
    with pytest.raises(ValueError, match="cannot name a certificate"):
        DevCa.open_or_create(tmp_path).client(name, URI)
