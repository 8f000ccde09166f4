"""The failure table: every way an exchange with a bank can end, as data.

The tests put each row to a real peer over a real socket and through the real adapter and journey; docs/safety.md's
table is printed from the same rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

BEFORE: Final = "On the way to the bank: no byte of the request has been made"


@dataclass(frozen=True, slots=True)
class Row:
    """One way. `wire` is what the connector raises or returns: "NotSent REASON", "MaybeSent REASON", "WireAnswer 503".
    `becomes` is the payment's state; behind an answer that leaves doubt or refuses to process, also the reason."""

    id: str
    bank: str
    wire: str
    becomes: str
    proof: str
    heading: str

    @property
    def fate(self) -> str:
        """State and reason of the attempt: the wire's, where that gave one."""
        kind, _, reason = self.wire.partition(" ")
        return self.becomes if kind == "WireAnswer" else f"{self.becomes} {reason}"


TABLE: Final = """
== On the way to the bank: no byte of the request has been made
dns_no_such_name: its name does not exist
    NotSent CONNECT_FAILED → QUEUED | no connection, so no byte
dns_no_server: no name server answers
    NotSent CONNECT_FAILED → QUEUED | no connection, so no byte
dns_not_a_name: its name cannot be a name
    NotSent CONNECT_FAILED → QUEUED | no connection, so no byte
connection_refused: refuses the connection
    NotSent CONNECT_FAILED → QUEUED | no connection, so no byte
connect_timeout: never takes the connection
    NotSent CONNECT_FAILED → QUEUED | no connection, so no byte
plain_text: speaks no TLS
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
handshake_closed: hangs up inside the handshake
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
handshake_reset: resets TCP inside the handshake
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
handshake_timeout: never ends the handshake
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
certificate_expired: shows an expired certificate
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
certificate_wrong_name: shows a certificate for another name
    NotSent TLS_FAILED → QUEUED | the name is checked before the first byte of HTTP
certificate_wrong_authority: shows a certificate of an authority we do not trust
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
certificate_revoked: shows a revoked certificate (CRL)
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
certificate_without_crl: shows a certificate whose issuer's CRL we lack
    NotSent TLS_FAILED → QUEUED | the handshake ends first; a request is made into bytes only after it
our_files_bad: (we) our key file cannot be read
    NotSent TLS_FAILED → QUEUED | without a key there is no handshake
client_certificate_refused_tls12: refuses our certificate, TLS 1.2
    NotSent CERTIFICATE_REFUSED → QUEUED | the alert comes inside the handshake
client_certificate_refused_tls13_h2: refuses our certificate, TLS 1.3, HTTP/2
    NotSent CERTIFICATE_REFUSED → QUEUED | the alert comes before SETTINGS; nothing is written before those
s_server_refuses_certificate_tls12: openssl s_server refuses our certificate, TLS 1.2
    NotSent CERTIFICATE_REFUSED → QUEUED | the alert comes inside the handshake
nghttpd_refuses_certificate: nghttpd gets no certificate from us
    NotSent CERTIFICATE_REFUSED → QUEUED | as with TLS 1.3 above
alpn_none: chooses no protocol (ALPN)
    NotSent PROTOCOL_NOT_OFFERED → QUEUED | without a protocol nothing can be written
alpn_refused: openssl s_server speaks other protocols only
    NotSent PROTOCOL_NOT_OFFERED → QUEUED | alert no_application_protocol ends the handshake
greeting_missing: sends no SETTINGS
    NotSent CONNECT_FAILED → QUEUED | nothing is written before the bank's SETTINGS
greeting_http1: speaks HTTP/1.1 where HTTP/2 was agreed
    NotSent CONNECT_FAILED → QUEUED | nothing is written before the bank's SETTINGS
greeting_goaway: says GOAWAY with its SETTINGS
    NotSent CONNECT_FAILED → QUEUED | a connection that drains is given no request
no_streams_allowed: allows no streams (MAX_CONCURRENT_STREAMS 0) until the deadline
    NotSent NEVER_WRITTEN → QUEUED | it still waited in our queue

== Written, and the bank's own protocol says that it was not processed
client_certificate_refused_tls13_http1: refuses our certificate, TLS 1.3, HTTP/1.1
    NotSent CERTIFICATE_REFUSED → QUEUED | an alert about our certificate before any byte of an answer
refused_stream: RST_STREAM with REFUSED_STREAM
    NotSent STREAM_REFUSED → QUEUED | RFC 9113 section 8.7: no processing has taken place
goaway_below: GOAWAY whose last stream is below ours
    NotSent GOAWAY_ABOVE_LAST → QUEUED | RFC 9113 section 6.8: those above were not and will not be processed
goaway_below_and_closes: the same with an error code, and the connection ends at once
    NotSent GOAWAY_ABOVE_LAST → QUEUED | the same; why it goes does not matter
status_429_retry_after: 429 with Retry-After: 120
    WireAnswer 429 → QUEUED BANK_THROTTLED | the profile documents it as "not processed"; not sent again within 120 s
status_503_documented: 503 with Retry-After, where the profile documents it
    WireAnswer 503 → QUEUED BANK_THROTTLED | `unprocessed_statuses` of the profile: the bank's documented word

== Answered
answer_taken: 200, pain.002 ACSP
    WireAnswer 200 → ACCEPTED | the bank's word, END_STREAM seen
answer_settled: 200, pain.002 ACSC
    WireAnswer 200 → SETTLED | the bank's word
answer_rejected: 200, pain.002 RJCT
    WireAnswer 200 → REJECTED | the bank's word
answer_202_empty: 202 without a body
    WireAnswer 202 → ACCEPTED | receipt, as the protocol defines it
answer_400_rejected: 400 with pain.002 RJCT
    WireAnswer 400 → REJECTED | the bank's word about this message
informational_h2: 103, 100, then the answer (HTTP/2)
    WireAnswer 200 → ACCEPTED | 1xx is passed over
informational_http1: the same, HTTP/1.1
    WireAnswer 200 → ACCEPTED | 1xx is passed over
goaway_at: GOAWAY at our stream, then the answer
    WireAnswer 200 → ACCEPTED | a stream not above the last is finished as if nothing had happened
goaway_notice: GOAWAY 2^31-1, GOAWAY at our stream, the answer
    WireAnswer 200 → ACCEPTED | the same
answer_twice: the whole answer twice on one stream; the next payment goes over the same connection
    WireAnswer 200 → ACCEPTED | the first one ended the stream; what follows on it is nobody's
garbage_after_answer: the answer and then nonsense, in one packet
    WireAnswer 200 → ACCEPTED | END_STREAM was seen before it
http1_answer_twice: HTTP/1.1: the whole answer twice; then our next payment
    WireAnswer 200 → ACCEPTED | that connection is given up: what was said on it unasked answers nothing
close_delimited_notified: HTTP/1.1 body until the end of the connection, with close_notify
    WireAnswer 200 → ACCEPTED | close_notify says that this was all
length_complete_and_cut: HTTP/1.1 whole by content-length, then cut off without close_notify
    WireAnswer 200 → ACCEPTED | the length said where the answer ends
unasked_408_on_idle: HTTP/1.1: a 408 that nobody asked for behind an answer; then our next payment
    WireAnswer 200 → ACCEPTED | that connection is given up: what was said on it unasked answers nothing

== Written, and nobody can know
certificate_refused_but_reset: refuses our certificate, TLS 1.3, HTTP/1.1, and a TCP reset swallows the alert
    MaybeSent REPLY_LOST → IN_DOUBT | the proof did not arrive, so there is none
refused_stream_after_103: REFUSED_STREAM after 103
    MaybeSent STREAM_RESET → IN_DOUBT | who has said 103 has looked at the request
goaway_below_after_103: GOAWAY below our stream after 103 on it
    MaybeSent STREAM_RESET → IN_DOUBT | a bank that contradicts itself proves nothing
goaway_at_and_closes: GOAWAY at our stream, then the end without an answer
    MaybeSent REPLY_LOST → IN_DOUBT | a stream not above the last may have been processed
reset_before_answer: RST_STREAM INTERNAL_ERROR
    MaybeSent STREAM_RESET → IN_DOUBT | no complete answer, and the request may have been read
reset_cancel: RST_STREAM CANCEL
    MaybeSent STREAM_RESET → IN_DOUBT | no complete answer, and the request may have been read
reset_no_error: RST_STREAM NO_ERROR before an answer
    MaybeSent STREAM_RESET → IN_DOUBT | no complete answer, and the request may have been read
reset_mid_body: RST_STREAM inside the body
    MaybeSent STREAM_RESET → IN_DOUBT | no complete answer, and the request may have been read
refused_mid_body: REFUSED_STREAM inside the body
    MaybeSent STREAM_RESET → IN_DOUBT | an answer had begun: the refusal is a contradiction
closed_before_answer: close_notify before the answer
    MaybeSent REPLY_LOST → IN_DOUBT | no complete answer, and the request may have been read
cut_before_answer: FIN without close_notify before the answer
    MaybeSent REPLY_LOST → IN_DOUBT | no complete answer, and the request may have been read
tcp_reset_before_answer: TCP reset before the answer
    MaybeSent REPLY_LOST → IN_DOUBT | no complete answer, and the request may have been read
closed_mid_body: close_notify inside the body, HTTP/2
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | no END_STREAM, no answer, however clean the end
cut_mid_body: FIN without close_notify inside the body, HTTP/2
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | no END_STREAM, no answer
cut_after_whole_body: the whole pain.002, no END_STREAM, FIN without close_notify
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | it looks whole, and nothing says that it is
http1_closed_before_answer: HTTP/1.1: close_notify before the answer
    MaybeSent REPLY_LOST → IN_DOUBT | no complete answer, and the request may have been read
http1_idle_closed_as_we_write: HTTP/1.1: closes an idle connection just as we write on it
    MaybeSent REPLY_LOST → IN_DOUBT | HTTP/1.1 cannot say that it was not read (so idle ones are given up early)
close_delimited_cut: HTTP/1.1 body until the end of the connection, without close_notify
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | whoever is on the way can cut it: it may be a part
length_short_notified: HTTP/1.1 body shorter than content-length, with close_notify
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | its own length says that something is missing
length_short_cut: the same without close_notify
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | its own length says that something is missing
chunk_cut: HTTP/1.1: closes inside a chunk
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | no last chunk
http1_half_header: HTTP/1.1: half a header, then close_notify
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | no complete answer, and the request may have been read
half_header: HTTP/2: half a HEADERS frame, then close_notify
    MaybeSent REPLY_LOST → IN_DOUBT | half a frame is no answer begun
header_without_continuation: HTTP/2: HEADERS without END_HEADERS, then close_notify
    MaybeSent REPLY_LOST → IN_DOUBT | no complete answer, and the request may have been read
closed_after_103: 103 and then close_notify
    MaybeSent REPLY_TRUNCATED → IN_DOUBT | 1xx is no answer
garbage: HTTP/2: bytes that are no frames
    MaybeSent REPLY_UNREADABLE → IN_DOUBT | no complete answer, and the request may have been read
garbage_below_tls: bytes that are no TLS record
    MaybeSent REPLY_LOST → IN_DOUBT | a broken record proves nothing; only a certificate alert does
http1_garbage: HTTP/1.1: a line of another protocol
    MaybeSent REPLY_UNREADABLE → IN_DOUBT | no complete answer, and the request may have been read
http1_switches_protocol: 101 Switching Protocols
    MaybeSent REPLY_UNREADABLE → IN_DOUBT | nothing was asked to be switched
length_mismatch_h2: HTTP/2 content-length that does not fit the body
    MaybeSent REPLY_UNREADABLE → IN_DOUBT | malformed; it ends the connection and all that is open on it
other_stream: HTTP/2: answers on a stream that we never opened
    MaybeSent REPLY_UNREADABLE → IN_DOUBT | an error of the whole connection: nothing on it is believed
header_bomb: HTTP/2: an answer's header of 120 KB
    MaybeSent REPLY_UNREADABLE → IN_DOUBT | it is refused, not collected; the request may have been processed
http1_answer_too_large: HTTP/1.1: an answer above the largest we take (4 MiB)
    MaybeSent REPLY_UNREADABLE → IN_DOUBT | it is refused, not collected; the request may have been processed
ping_unanswered: falls silent on the whole connection, PING included, long before the deadline
    MaybeSent REPLY_LOST → IN_DOUBT | no complete answer, and the request may have been read
timeout_before_first_byte: says nothing until the deadline
    MaybeSent REPLY_TIMEOUT → IN_DOUBT | no complete answer, and the request may have been read
timeout_after_first_byte: stops inside the answer until the deadline
    MaybeSent REPLY_TIMEOUT → IN_DOUBT | no complete answer, and the request may have been read
http1_timeout_before_first_byte: HTTP/1.1: says nothing until the deadline
    MaybeSent REPLY_TIMEOUT → IN_DOUBT | no complete answer, and the request may have been read
body_never_read: takes the header, gives the body no window
    MaybeSent REPLY_TIMEOUT → IN_DOUBT | the header has left: the bank may do without the rest
late_reply: answers after our deadline; the next payment goes over the same connection
    MaybeSent REPLY_TIMEOUT → IN_DOUBT | the late answer is dropped, harms nobody, and is found by inquiry

== A whole answer that says nothing certain about the payment
status_302: 302 to another address
    WireAnswer 302 → IN_DOUBT REPLY_UNREADABLE | a redirect is never followed
status_307: 307 to another address, which asks for the same POST there
    WireAnswer 307 → IN_DOUBT REPLY_UNREADABLE | a redirect is never followed
status_204: 204
    WireAnswer 204 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
status_200_garbage: 200 with a body that is no XML
    WireAnswer 200 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
answers_swapped: answers two streams with each other's reports
    WireAnswer 200 → IN_DOUBT REPLY_UNREADABLE | OrgnlMsgId is another message's: nothing is said about this one
http1_answer_late_twice: HTTP/1.1: the answer's copy comes when the next payment has left: this is that payment
    WireAnswer 200 → IN_DOUBT REPLY_UNREADABLE | OrgnlMsgId is another message's: nothing is said about this one
status_400: 400 with a page
    WireAnswer 400 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
status_401: 401
    WireAnswer 401 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
status_403: 403
    WireAnswer 403 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
status_404: 404 to a submission
    WireAnswer 404 → IN_DOUBT REPLY_UNREADABLE | "not found" counts in an inquiry only
status_408: 408, HTTP/2
    WireAnswer 408 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
status_408_crossing: HTTP/1.1: a 408 for the idle connection crosses our fresh request
    WireAnswer 408 → IN_DOUBT REPLY_UNREADABLE | said before our request came: a profile may not call it a proof
status_429_undocumented: 429, where the profile does not document it
    WireAnswer 429 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
status_500: 500
    WireAnswer 500 → IN_DOUBT BANK_ERROR | no pain.002 about this message: a server's words, not its books'
status_503_retry_after: 503 with Retry-After, undocumented
    WireAnswer 503 → IN_DOUBT BANK_ERROR | a server may fail after it booked: Retry-After is a wish, no proof
status_500_taken: 500 with pain.002 ACSP
    WireAnswer 500 → IN_DOUBT BANK_ERROR | status and body contradict each other
nginx_502: nginx before the bank, which is away: 502
    WireAnswer 502 → IN_DOUBT BANK_ERROR | nginx cannot know what the bank got
nginx_504: nginx before the bank, which is silent: 504
    WireAnswer 504 → IN_DOUBT BANK_ERROR | the bank has the request
nginx_413: nginx finds the body too large: 413
    WireAnswer 413 → IN_DOUBT REPLY_UNREADABLE | no pain.002 about this message: a server's words, not its books'
"""
"""Headings, and two lines for each row: id and what the bank does; wire → payment, and why that may be claimed."""


def _rows(text: str) -> Iterator[Row]:
    heading = ""
    lines = iter(text.strip().splitlines())
    for line in lines:
        if line.startswith("== "):
            heading = line.removeprefix("== ")
        elif line:
            name, _, bank = line.partition(": ")
            claim, _, proof = next(lines).strip().partition(" | ")
            wire, _, becomes = claim.partition(" → ")
            yield Row(name, bank, wire, becomes, proof, heading)


ROWS: Final = tuple(_rows(TABLE))


def markdown() -> str:
    """The table of docs/safety.md."""
    lines: list[str] = []
    for heading, rows in groupby(ROWS, key=lambda row: row.heading):
        lines += ["", f"**{heading}**", "", "| test id | the bank | wire | payment | why |", "|---|---|---|---|---|"]
        lines += [f"| {row.id} | {row.bank} | {row.wire} | {row.becomes} | {row.proof} |" for row in rows]
    return "\n".join(lines[1:])
