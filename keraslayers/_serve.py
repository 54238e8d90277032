"""A page in the local network, over https: it is handed out, its answers come in, and there is nothing else."""

import datetime
import hashlib
import hmac
import io
import ipaddress
import queue
import secrets
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EXTRA = "`serve` needs cryptography and segno: pip install 'keraslayers[serve]'"
# Seconds that a connection may be silent; connections at once; answers in all.
SILENCE, MOST_CONNECTIONS, MOST_ANSWERS = 30, 16, 500
DAYS = 2
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server(ThreadingHTTPServer):
    """Serves one page at an address that nobody guesses, and takes answers; listens from the start.

    Args:
        page: bytes of HTML, which sends its answer to `answer` beside it.
        accept: called with an answer's bytes, in any thread; returns what `serve` gives on. Raises a ValueError with
            words for who sent it.
        most: bytes of an answer.
        host, port: where it listens; port 0 is any that is free.

    Attributes:
        address: of the page, with its token.
        fingerprint: SHA-256 of the certificate.
    """

    daemon_threads = True
    timeout = 0.5

    def __init__(self, page, accept, *, most, host, port=0):
        self.page, self.accept, self.most = page, accept, most
        self.answers, self.last = queue.SimpleQueue(), time.monotonic()
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.path = f"/{secrets.token_urlsafe(16)}/"
        self.context, self.fingerprint = _context(host)
        super().__init__((host, port), _Handler)
        self.address = f"https://{host}:{self.server_port}{self.path}"

    def serve(self, minutes):
        """Gives answers as they come, until so many minutes pass in which nobody asks for the page."""
        came = 0
        self.last = time.monotonic()
        while time.monotonic() < self.last + 60 * minutes and came < MOST_ANSWERS:
            self.handle_request()
            while not self.answers.empty():
                came += 1
                yield self.answers.get()

    def process_request(self, request, client_address):
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request, client_address):
        # Here, in a thread of its own: one that is silent keeps nobody else waiting.
        request.settimeout(SILENCE)
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            self.RequestHandlerClass(wrapped, client_address, self)

    def handle_error(self, request, client_address):
        """Says nothing: a device that does not like the certificate hangs up, and comes again."""


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "keraslayers", ""
    timeout = SILENCE

    def do_GET(self):
        if not self._known(""):
            return self._answer(404)
        self._answer(200, self.server.page, "text/html; charset=utf-8")

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        told = length.isascii() and length.isdigit() and len(length) < 10
        # Read in any case: one who is still sending would not hear the answer.
        body = self.rfile.read(min(int(length), self.server.most + 1)) if told else b""
        if not self._known("answer"):
            return self._answer(404)
        if not told or len(body) > self.server.most:
            return self._answer(413, b"an answer says how long it is, and is short")
        try:
            self.server.answers.put(self.server.accept(body))
        except ValueError as error:
            return self._answer(400, f"it {error}".encode())
        self._answer(204)

    def _known(self, name):
        """Whether the token is in the address; only then does the server stay up for it."""
        known = hmac.compare_digest(self.path.encode(), f"{self.server.path}{name}".encode())
        if known:
            self.server.last = time.monotonic()
        return known

    def _answer(self, status, content=b"", kind="text/plain; charset=utf-8"):
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words):
        """Says nothing."""


def own_address():
    """This machine's address in the local network; 127.0.0.1 where it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of no network (RFC 5737); nothing is sent
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


def qr_code(address):
    """A QR code as lines of half blocks."""
    segno = _installed("segno")
    drawn = io.StringIO()
    segno.make(address, error="l", micro=False).terminal(drawn, compact=True, border=2)
    return drawn.getvalue()


def _context(host):
    """(The server's side of TLS, its certificate's fingerprint): made here and now for this address, and not kept."""
    from keraslayers.export.scratch import scratch

    x509 = _installed("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "keraslayers serve")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with scratch() as folder:
        path = folder / "pair.pem"
        path.write_bytes(secret + certificate.public_bytes(pem))
        context.load_cert_chain(path)
    told = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    return context, told


def _installed(name):
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(EXTRA) from error
