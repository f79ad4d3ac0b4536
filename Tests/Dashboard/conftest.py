"""A real example API and a real browser, for each test."""

import contextlib
import http.client
import os
import pathlib
import socket
import subprocess
import time

import pytest
from playwright.sync_api import expect, sync_playwright

# The statistics come every two seconds, and the points of the charts every five.
expect.set_options(timeout=20_000)

TOKEN = "a-token-for-tests-0123456789"
PICTURES = pathlib.Path(__file__).resolve().parents[2] / ".build-dashboard" / "screenshots"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class API:
    """A process of the example API."""

    def __init__(self, port, **environment):
        self.port = port
        self.environment = {"PATH": os.environ["PATH"], "PORT": str(port), "LOG_LEVEL": "error", **environment}
        self.process = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self):
        return self.url + "/larder"

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["LARDER_DEMO"]], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 30
        while True:
            try:
                return self.send("GET", "/")
            except OSError:
                assert self.process.poll() is None, "the example API does not start"
                assert time.monotonic() < end, "the example API does not listen"
                time.sleep(0.02)

    def stop(self):
        """Ends the process at once, as a crash does."""
        self.process.kill()
        self.process.wait()

    def send(self, method, target, fields={}, content=None):
        """Sends a request whose target is written as it is, and returns status, fields and content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            # http.client refuses control characters in targets, and nothing else.
            connection.request(method, target, body=content, headers=dict(fields))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        finally:
            connection.close()


@contextlib.contextmanager
def example_api(**environment):
    api = API(free_port(), **environment)
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture
def api():
    with example_api(LARDER_ADMIN_ACCESS="loopback") as api:
        yield api


@pytest.fixture
def closed_api():
    """An example API that needs a token."""
    with example_api(LARDER_ADMIN_TOKEN=TOKEN) as api:
        yield api


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
        yield browser
        browser.close()


# Notes each violation of the Content-Security-Policy of the page.
NOTING = "addEventListener('securitypolicyviolation', (event) => console.error('CSP: ' + event.violatedDirective));"


class Tabs:
    """Opens pages, and collects the errors of all of them."""

    def __init__(self, browser):
        self.browser = browser
        self.contexts = []
        self.errors = []

    def open(self, address, width=1440, height=900, scheme="light", waits=True, **options):
        options = {"locale": "en-GB", "timezone_id": "Europe/Berlin", **options}
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        context.set_default_timeout(15_000)
        context.add_init_script(NOTING)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: message.type in ("error", "warning") and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(address)
        if waits:
            expect(page.locator("#connection")).to_have_text("Live")
        return page

    def expected(self, text):
        """Drops the errors that a test has caused."""
        self.errors = [error for error in self.errors if text not in error]


@pytest.fixture
def tabs(browser):
    tabs = Tabs(browser)
    yield tabs
    for context in tabs.contexts:
        context.close()
    assert tabs.errors == []


def picture(page, name, full=False):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=full)


def eventually(what, condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)
