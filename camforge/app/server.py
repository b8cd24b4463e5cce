"""The server of the live page: the standard library's, for this machine alone.

A page from elsewhere cannot ask it anything: every question carries a secret that only the served page knows, and a
request for another host name is refused. The page loads nothing from outside.
"""

from __future__ import annotations

import json
import secrets
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from camforge.app.maps import Explainer, Question
from camforge.explanation.models import LIBRARIES
from camforge.host.errors import message_of
from camforge.host.registry import registry
from camforge.pictures import AGAINST, FOR, OPACITY, SIGNED_OPACITY, heat_colours
from camforge.types import CamForgeError

MAX_BYTES = 64 * 2**20  # of a photograph's file
POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Server(ThreadingHTTPServer):
    """Serves the page of an explainer. ``address`` is where."""

    daemon_threads = True

    def __init__(self, explainer: Explainer, port: int = 0) -> None:
        """port  0: any that is free. Raises CamForgeError where it is taken."""
        self.explainer, self.secret = explainer, secrets.token_urlsafe(24)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise CamForgeError(f"port {port}: {error.strerror}") from None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The names under which this machine's own browser asks."""
        return frozenset(f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost"))

    def page(self, nonce: str) -> str:
        """The page, with all that it may choose from."""
        extractors = registry().plugins["extractor"]
        chosen = {
            "secret": self.secret, "turbo": heat_colours().flatten().tolist(), "for": FOR, "against": AGAINST,
            "opacity": OPACITY, "signedOpacity": SIGNED_OPACITY,
        }  # fmt: skip
        return _template().render(
            model=self.explainer.first, libraries=LIBRARIES, nonce=nonce, chosen=chosen,
            methods={name: plugin_class.cls.summary() for name, plugin_class in extractors.items()},
        )  # fmt: skip


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("camforge.app"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("app.html")


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "camforge", ""
    timeout = 60  # seconds that a browser may be silent within a request

    def do_GET(self) -> None:
        """The page, or what is known of a model."""
        where = urlsplit(self.path)
        if self.headers.get("Host") not in self.server.hosts:
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain")
        elif where.path == "/":
            nonce = secrets.token_urlsafe(16)
            self._send(HTTPStatus.OK, self.server.page(nonce).encode(), "text/html; charset=utf-8", nonce)
        elif where.path == "/model" and self._is_ours():
            self._answer(lambda: self.server.explainer.about(dict(parse_qsl(where.query)).get("model", "")))
        else:
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def do_POST(self) -> None:
        """The maps of a photograph, which is the request's body."""
        where, length = urlsplit(self.path), self.headers.get("Content-Length", "")
        if where.path != "/maps" or not self._is_ours():
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain")
        elif not length.isdecimal() or int(length) > MAX_BYTES:
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"", "text/plain")
        else:
            content = self.rfile.read(int(length))
            question = dict(parse_qsl(where.query))
            self._answer(lambda: self.server.explainer.answer(content, Question.read(question)))

    def _is_ours(self) -> bool:
        """Whether the page that this server served asks."""
        given = self.headers.get("X-CamForge", "").encode()
        return self.headers.get("Host") in self.server.hosts and secrets.compare_digest(
            given, self.server.secret.encode()
        )

    def _answer(self, make: Any) -> None:
        """What was asked for, or why not, in one line."""
        status = HTTPStatus.OK
        try:
            content = make()
        except CamForgeError as error:
            status, content = HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except Exception as error:  # a model may raise anything: the page says it, the server goes on
            status, content = (
                HTTPStatus.INTERNAL_SERVER_ERROR,
                {"error": f"{type(error).__name__}: {message_of(error)}"},
            )
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str, nonce: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY.format(nonce=nonce or secrets.token_urlsafe(16)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the page says what went wrong."""
