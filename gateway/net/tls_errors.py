"""Why TLS ended a connection: alerts, OpenSSL's errors and verification results in words."""

import re
from typing import Final

import trio
from OpenSSL import SSL

CAUSE_CHARS_MAX: Final = 60  # what the log lets through as one word
CERTIFICATE_ALERTS: Final = {
    # RFC 8446 section 6.2: these speak of the certificate that the receiver of the alert presented.
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    48: "unknown_ca",
    49: "access_denied",
    116: "certificate_required",
}
VERIFY_ERRORS: Final = {  # openssl-verification-options(1): the ones an operator meets
    2: "its issuer's certificate is missing",
    3: "no CRL of its issuer is at hand",
    9: "it is not yet valid",
    10: "it has expired",
    12: "the CRL has expired",
    18: "it is self-signed and not trusted",
    19: "its chain ends in a root that is not trusted",
    20: "its issuer is not trusted",
    21: "its signature cannot be checked",
    23: "it has been revoked",
    26: "it is not meant for this role",
}


class TlsError(trio.BrokenResourceError):
    """TLS ended this connection. The text says why in OpenSSL's words and, where there was one, names the alert."""

    @property
    def cause(self) -> str:
        """The text as one word for the log: letters, digits and dashes."""
        return slug(str(self))


def slug(words: str) -> str:
    """Words as one: "its issuer is not trusted" → "its-issuer-is-not-trusted", at most CAUSE_CHARS_MAX characters."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:CAUSE_CHARS_MAX].rstrip("-")


class TlsTruncated(TlsError):
    """The transport ended without close_notify: what was received so far may be only a part."""


class Notes:
    """What OpenSSL reports through callbacks. Apart from the stream, so that no reference cycle keeps it alive."""

    def __init__(self) -> None:
        self.alert: int | None = None
        self.verify_error: int | None = None

    def info(self, _connection: SSL.Connection, where: int, value: int) -> None:
        if where == SSL.SSL_CB_READ_ALERT:
            self.alert = value & 0xFF  # the level is in the upper byte


def explain(error: Exception, notes: Notes) -> TlsError:
    """What to raise for an error of OpenSSL, or of a callback of the context."""
    if isinstance(error, SSL.SysCallError):
        return TlsTruncated("the connection ended without close_notify")
    if notes.verify_error is not None:
        number = notes.verify_error
        return TlsError(f"the peer's certificate was not accepted: {VERIFY_ERRORS.get(number, f'error {number}')}")
    words = str(error)
    if isinstance(error, SSL.Error):
        words = ", ".join(entry[-1] for entry in error.args[0]) if error.args else "TLS failed"
    if notes.alert:
        words += f" (alert {notes.alert}{f' {name}' if (name := CERTIFICATE_ALERTS.get(notes.alert)) else ''})"
    return TlsError(words)
