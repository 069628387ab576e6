"""Chromium as Debian ships it, a server for a folder, and a record of everything that a page must not do."""

import contextlib
import datetime
import functools
import http.server
import shutil
import threading

from playwright.sync_api import sync_playwright

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


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of a server for a folder, on this machine alone."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()


class Visit:
    """A page that was opened at a given time of the device's clock, and what it did."""

    def __init__(self, browser, address, at_ms, width=360, height=640, **options):
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
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
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def open(self):
        self.page.goto(self.address)
        return self

    def problems(self):
        """What the page must not have done: errors, violations of its policy, requests to anybody else."""
        violations = self.page.evaluate("window.violations")
        scheme = self.address.split(":")[0]
        origin = self.address.rsplit("/", 1)[0] if scheme == "http" else self.address
        # What a page has in itself is no request to anybody.
        foreign = [url for url in self.requests if not url.startswith((origin, "data:"))]
        return self.errors + violations + [f"request to {url}" for url in foreign]

    def __enter__(self):
        return self.open()

    def __exit__(self, *_):
        self.context.close()
