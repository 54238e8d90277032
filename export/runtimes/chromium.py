"""Headless Chromium, driven over its pipe by the DevTools protocol: no port is opened, no driver is to be installed."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import time

from keraslayers.export.scratch import scratch

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = ("/opt/google/chrome/chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
SETTING = "KERASLAYERS_CHROMIUM"
REMEDY = f"no Chromium found: install Debian's package `chromium` (or Google Chrome), or set {SETTING} to its path"
# Pages of this origin are answered out of memory: nothing listens there, and nothing goes out.
ORIGIN = "https://page.invalid/"
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--mute-audio",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# WebGPU where there is no GPU: Chromium's software driver computes.
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan")
# Seconds in which it must be up, or take what it is sent, and gone when it was asked to go. Where other work has the
# cores it was seen to take more than a minute.
START, END = 180, 5
# Of messages of more than 100 MB it reads no more: what is long goes in parts of so many bytes, as `path?part=0`.
PART = 2**25
KINDS = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "wasm": "application/wasm"}


class PageDied(RuntimeError):  # noqa: N818
    """A page crashed, hung, or took the browser with it."""


def find():
    """Path of a Chromium; None where there is none."""
    if named := os.environ.get(SETTING):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, (*NAMES, *ELSEWHERE))), None)


class Chromium:
    """A browser with one page, gone after the block. It ends, too, when the program that started it does.

    Args:
        *flags: of Chromium's, beside `FLAGS`.
        files: what pages at `ORIGIN` are made of: by path the bytes, or the `Path` of a file.

    Attributes:
        process: its number, which is that of its group, too.
        version: what it calls itself.
        said: lines that the page wrote to the console, and its errors.
        refused: addresses that the page asked for in vain.
    """

    def __init__(self, *flags, files=None):
        self._flags, self._files = flags, files or {}
        self._number, self._session, self._unread = 0, None, b""
        self._answers, self._on = {}, {}
        self.said, self.refused = [], []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self.version = self.call("Browser.getVersion", seconds=START)["product"].replace("Headless", "")
            target = self.call("Target.createTarget", url="about:blank", seconds=START)["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self._on = {
                "Fetch.requestPaused": self._serve,
                "Inspector.targetCrashed": self._crashed,
                "Page.loadEventFired": self._load,
                "Runtime.consoleAPICalled": self._console,
                "Runtime.exceptionThrown": self._thrown,
            }
            for domain in ("Inspector", "Runtime", "Page"):
                self.call(f"{domain}.enable")
            self.call("Fetch.enable")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def open(self, address=ORIGIN, seconds=START):
        """Loads a page with all that is in it, by default the file "" of `files`."""
        self._loaded = False
        failed = self.call("Page.navigate", url=address, seconds=seconds).get("errorText")
        if failed:
            raise RuntimeError(f"{address}: {failed}")
        deadline = time.monotonic() + seconds
        while not self._loaded:
            self._receive(deadline, seconds)

    def evaluate(self, expression, seconds=START):
        """The value of an expression of JavaScript, a promise's when it is there; JSON can hold it.

        Raises:
            RuntimeError: with the page's words, if it throws.
            PageDied: if the page does, or it takes longer.
        """
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, seconds=seconds
        )
        if thrown := found.get("exceptionDetails"):
            raise RuntimeError(_words(thrown))
        return found["result"].get("value")

    def call(self, method, seconds=START, **parameters):
        """Asks the browser for something, and returns its answer; meanwhile what the page does is seen to."""
        number = self._send(method, parameters)
        deadline = time.monotonic() + seconds
        while number not in self._answers:
            self._receive(deadline, seconds)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _start(self, stack):
        folder = stack.enter_context(scratch())
        theirs_in, self._write = _pipe(stack)
        self._read, theirs_out = _pipe(stack)
        os.set_blocking(self._write, False)
        root = ("--no-sandbox",) if os.getuid() == 0 else ()  # as root it does not start with one
        command = [find(), *FLAGS, *root, *self._flags, f"--user-data-dir={folder}", "about:blank"]
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
        pipes = [(os.POSIX_SPAWN_DUP2, theirs_in, 3), (os.POSIX_SPAWN_DUP2, theirs_out, 4)]
        # It makes a socket there, whose path may have 108 letters.
        environment = {**os.environ, "TMPDIR": "/tmp"}
        # A group of its own, so that its helpers end with it.
        self.process = os.posix_spawn(command[0], command, environment, file_actions=[*nothing, *pipes], setpgroup=0)
        stack.callback(self._end)
        os.close(theirs_in)
        os.close(theirs_out)

    def _end(self):
        with contextlib.suppress(PageDied):
            self._send("Browser.close", {}, page=False)
        deadline = time.monotonic() + END
        while not os.waitpid(self.process, os.WNOHANG)[0]:
            if time.monotonic() > deadline:
                os.killpg(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
                break
            time.sleep(0.01)
        os.close(self._write)
        os.close(self._read)

    def _send(self, method, parameters, page=True):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session and page:
            message["sessionId"] = self._session
        left, deadline = memoryview(json.dumps(message).encode() + b"\0"), time.monotonic() + START
        try:
            while left:
                if not select.select([], [self._write], [], max(0, deadline - time.monotonic()))[1]:
                    raise PageDied(f"the browser did not take what it was sent within {START} s")
                left = left[os.write(self._write, left) :]
        except BrokenPipeError:
            raise PageDied("the browser died") from None
        return self._number

    def _receive(self, deadline, seconds):
        while b"\0" not in self._unread:
            if not select.select([self._read], [], [], max(0, deadline - time.monotonic()))[0]:
                raise PageDied(f"the page did not finish within {seconds:g} s")
            more = os.read(self._read, 2**20)
            if not more:
                raise PageDied("the browser died")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(line)
        if "id" in message:
            self._answers[message["id"]] = message
        elif message["method"] in self._on:
            self._on[message["method"]](message["params"])

    def _serve(self, asked):
        address, request = asked["request"]["url"], asked["requestId"]
        path, _, part = address.removeprefix(ORIGIN).partition("?part=")
        if not address.startswith("http"):  # data:, blob: and file: stay on the machine
            self._send("Fetch.continueRequest", {"requestId": request})
        elif address.startswith(ORIGIN) and path in self._files:
            content = self._files[path]
            content = content if isinstance(content, bytes) else content.read_bytes()
            left = 0
            if part:
                left = max(0, -(-len(content) // PART) - int(part) - 1)
                content = content[int(part) * PART : (int(part) + 1) * PART]
            kind = KINDS.get(path.rpartition(".")[2] or "html", "application/octet-stream")
            self._send(
                "Fetch.fulfillRequest",
                {
                    "requestId": request,
                    "responseCode": 200,
                    "responseHeaders": [
                        {"name": "Content-Type", "value": kind},
                        {"name": "Parts-Left", "value": str(left)},
                    ],
                    "body": base64.b64encode(content).decode(),
                },
            )
        else:
            self.refused.append(address)
            self._send("Fetch.failRequest", {"requestId": request, "errorReason": "AddressUnreachable"})

    def _load(self, about):
        self._loaded = True

    def _crashed(self, about):
        raise PageDied("the page crashed; it may have run out of memory")

    def _console(self, about):
        self.said.append(" ".join(str(each.get("value", each.get("description", ""))) for each in about["args"]))

    def _thrown(self, about):
        self.said.append(_words(about["exceptionDetails"]))


def _words(thrown):
    """An error of the page's, without its stack."""
    about = thrown.get("exception", {})
    return (about.get("description") or str(about.get("value", thrown["text"]))).split("\n    at ")[0]


def _pipe(stack):
    """(read, write) of a pipe, numbered above those that Chromium wants it at."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high
