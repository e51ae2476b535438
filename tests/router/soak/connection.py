"""A client's kept connection: cheap, one request at a time, honours `Connection: close`."""

import asyncio
from dataclasses import dataclass

import httptools

ANSWER_MAX_S = 40.0
"""A client names a deadline of 30 s at most."""


class Broken(Exception):
    """The connection ended before the answer was whole."""


@dataclass(slots=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class _Protocol(asyncio.Protocol):
    def __init__(self):
        self.transport = None
        self.answered = None
        self.closes = False
        self._parser = httptools.HttpResponseParser(self)
        self._headers = {}
        self._body = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def connection_lost(self, exc):
        self.closes = True
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(Broken())

    def on_header(self, name, value):
        self._headers[name.lower()] = value

    def on_body(self, body):
        self._body.append(body)

    def on_message_complete(self):
        status, headers = self._parser.get_status_code(), self._headers
        body, self._headers, self._body = b"".join(self._body), {}, []
        self.closes = not self._parser.should_keep_alive()
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(Answer(status, headers, body))


class Connection:
    """Connects when it has to; `opened` says how often it did."""

    def __init__(self, host, port, *, tls=None):
        self._address = host, port
        self._tls = tls
        self._protocol = None
        self.opened = 0

    async def request(self, data):
        """Send the bytes of a request and return its answer; raises `Broken` or `OSError`.

        Among them TimeoutError, if it is not there within `ANSWER_MAX_S`.
        """
        loop = asyncio.get_running_loop()
        protocol = self._protocol
        if protocol is None or protocol.closes:
            self.close()
            _, protocol = await loop.create_connection(_Protocol, *self._address, ssl=self._tls)
            self._protocol = protocol
            self.opened += 1
        protocol.answered = loop.create_future()
        protocol.transport.write(data)
        try:
            async with asyncio.timeout(ANSWER_MAX_S):
                return await protocol.answered
        except TimeoutError:
            self.close()  # What comes for it later is no answer to the next request.
            raise

    def peer_certificate(self):
        """Return the certificate of the server in DER, as of the last connection."""
        return self._protocol.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)

    def close(self):
        """End it; without TLS's goodbye, which would outlive the loop."""
        if self._protocol is not None:
            self._protocol.transport.abort()
            self._protocol = None


def get(path, key, **headers):
    return _head("GET", path, key, headers) + b"\r\n"


def post(path, key, body, **headers):
    head = _head("POST", path, key, headers)
    framing = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + framing + body


def _head(method, path, key, headers):
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nhost: edge\r\nx-api-key: {key}\r\n{named}".encode()
