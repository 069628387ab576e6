"""Chromium as Debian ships it, a server for a folder, and a record of everything that a page must not do."""

import contextlib
import datetime
import functools
import http.server
import shutil
import threading

from playwright.sync_api import sync_playwright

# As WeChat names itself.
WECHAT = (
    "Mozilla/5.0 (Linux; Android 12; V2180A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile Safari/537.36"
    " XWEB/1260117 MMWEBSDK/20240501 MicroMessenger/8.0.50"
)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

# Violations of the page's own policy, told by the browser to the page's window.
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


def program():
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise SystemExit(f"none of {', '.join(PROGRAMS)} is installed: apt-get install chromium")
    return found


@contextlib.contextmanager
def browser():
    """One browser; its own sandbox does not start as root in a container."""
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program(), chromium_sandbox=False)
        try:
            yield started
        finally:
            started.close()


def drawn(page):
    """Waits until what is below the first words stands there, too: that comes a frame later."""
    page.wait_for_selector("#rest:not([aria-busy])", state="attached")


class Site:
    """A server for a folder: its clock, what it answers to whoever posts something, what was posted, and files that it hands out to be kept."""

    def __init__(self, at_ms=None):
        self.at_ms = at_ms
        # One for each that is posted, the last one again and again: status, body, and after how many seconds to come back, if that is said.
        self.answers = [(404, b"")]
        self.posted = []
        # By their path: the name under which each is kept, and its bytes.
        self.downloads = {}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each."""

    def __init__(self, *arguments, site, **options):
        self.site = site
        super().__init__(*arguments, **options)

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        if timestamp is None and self.site.at_ms is not None:
            timestamp = self.site.at_ms / 1000
        return super().date_time_string(timestamp)

    def do_GET(self):
        name, data = self.site.downloads.get(self.path, (None, None))
        if name is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Disposition", f'attachment; filename="{name}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.site.posted.append((self.path, self.headers["Content-Type"], body.decode()))
        status, answer, *later = self.site.answers.pop(0) if len(self.site.answers) > 1 else self.site.answers[0]
        self.send_response(status)
        for seconds in later:
            self.send_header("Retry-After", str(seconds))
        self.send_header("Content-Type", "application/json" if answer.startswith(b"{") else "text/html")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@contextlib.contextmanager
def served(folder, site=None):
    """The address of a server for a folder, on this machine alone."""
    handler = functools.partial(Handler, directory=str(folder), site=site or Site())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


class Visit:
    """A page that was opened at a given time of the device's clock, and what it did."""

    def __init__(self, browser, address, at_ms, width=360, height=640, **options):
        self.context = browser.new_context(viewport={"width": width, "height": height}, **{"locale": "zh-CN", **options})
        self.context.add_init_script(WATCH)
        self.address = address
        self.requests, self.errors = [], []
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)
        self.page.clock.set_fixed_time(datetime.datetime.fromtimestamp(at_ms / 1000, datetime.timezone.utc))

    def _console(self, message):
        # No portal need serve a directory of units, and none is reached without a network.
        if message.text.startswith("Failed to load resource") and message.location["url"].endswith("/units.bin"):
            return
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def open(self):
        self.page.goto(self.address)
        return self

    def problems(self):
        """What the page must not have done: errors, violations of its policy, requests to anybody else."""
        violations = self.page.evaluate("window.violations")
        scheme = self.address.split(":")[0]
        origin = self.address.rsplit("/", 1)[0] if scheme == "http" else self.address.split("#")[0]
        # What a page has in itself is no request to anybody.
        foreign = [url for url in self.requests if not url.startswith((origin, "data:"))]
        return self.errors + violations + [f"request to {url}" for url in foreign]

    def __enter__(self):
        return self.open()

    def __exit__(self, *_):
        self.context.close()
