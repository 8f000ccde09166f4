"""A collector that takes every span and metric and keeps nothing: what tracing costs where all is well.

`python -m loadtest.collector` says on its first line which port it has, and runs until SIGTERM.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_BYTES_MAX = 16 << 20  # an export of 512 spans has some 200 KiB


class Taker(BaseHTTPRequestHandler):
    """Answers every POST with 200 and an empty message, which is OTLP's "all taken"."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        taken = 0 <= length <= BODY_BYTES_MAX
        if taken:
            self.rfile.read(length)
        self.close_connection = not taken
        self.send_response(200 if taken else 413)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the log is for what goes wrong."""


def main() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        print(json.dumps({"ready": True, "port": server.server_address[1]}), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
