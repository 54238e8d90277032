"""A headless Firefox for tests, driven by Marionette, the protocol that it speaks by itself."""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PATH = shutil.which("firefox-esr") or shutil.which("firefox")
START = 60.0


class Firefox:
    """A browser with one page, gone after the block.

    Source: https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html.
    """

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            profile = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            (profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
            command = [PATH, "--headless", "--marionette", "--no-remote", "--profile", profile]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.kill)
            self._socket = stack.enter_context(self._connected(process, port))
            self._received()  # its greeting
            self._number = 0
            self.call("WebDriver:NewSession", capabilities={})
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def open(self, address):
        """Loads a page with all that is in it."""
        self.call("WebDriver:Navigate", url=address)

    def evaluate(self, expression):
        """The value of an expression of JavaScript, a promise's when it is there."""
        script = f"const done = arguments[0]; Promise.resolve({expression}).then(done);"
        return self.call("WebDriver:ExecuteAsyncScript", script=script, args=[])["value"]

    def call(self, name, **parameters):
        """What a command answers; raises a RuntimeError with its words if it fails."""
        self._number += 1
        message = json.dumps([0, self._number, name, parameters])
        self._socket.sendall(f"{len(message)}:{message}".encode())
        _, _, error, result = self._received()
        if error:
            raise RuntimeError(f"{name}: {error['message']}")
        return result

    @staticmethod
    def _connected(process, port):
        deadline = time.monotonic() + START
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=START)
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _received(self):
        size = b""
        while not size.endswith(b":"):
            size += self._socket.recv(1)
        message = b""
        while len(message) < int(size[:-1]):
            message += self._socket.recv(int(size[:-1]) - len(message))
        return json.loads(message)
