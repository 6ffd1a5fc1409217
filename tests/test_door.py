"""The gate before every page, against a real OpenID Connect provider on 127.0.0.1: no page and no data before the login, and the deep link after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from playwright.sync_api import expect

from curate.reviews import read_log
from curate.workspace import Workspace
from tests import small
from tests.browser import browser, free_port, server, settled
from tests.provider import Provider, provider
from tests.wire import Seen, Window

ROOT = Path(__file__).parent.parent
PAGES = dict(re.findall(r'st\.Page\("pages/[\w/]+\.py", title="([^"]+)".*?url_path="(\w+)"', (ROOT / "app.py").read_text(encoding="utf-8"))) | {"Overview": ""}
RITA = {"sub": "7", "email": "rita@example.org", "email_verified": True, "name": "Rita"}
SECRETS = ("Question 7?", "small.jsonl", "near_duplicate", "near duplicate")
"""What stands in the data, its name and its recipe."""


class Behind(NamedTuple):
    """A server behind the door. key: of its dataset. log: of its reviews."""

    address: str
    provider: Provider
    key: str
    log: Path

    def login(self, **claims: Any) -> str:
        """Log a person in as a browser does, without one; their cookie."""
        self.provider.claims = {**RITA, **claims}
        with httpx.Client(follow_redirects=True) as client:
            client.get(f"{self.address}/_stcore/health")
            known = client.get(f"{self.address}/auth/login", params={"provider": self.asked()})
            assert known.status_code == 200
            return "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)

    def asked(self) -> str:
        """The signed name of the provider, as the button of the door sends it to the browser."""
        with Window(self.address) as window:
            button = next(e for e in window.run().elements() if e.DESCRIPTOR.name == "Button")
            sent = window.move(button.id, trigger_value=True)
            url = next(m.auth_redirect.url for m in sent.messages if m.WhichOneof("type") == "auth_redirect")
        return httpx.URL(url).params["provider"]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder, port = tmp_path_factory.mktemp("door"), free_port()
    workspace = Workspace.at(folder / "workspace")
    data = small.measured(small.write(folder), workspace).dataset
    (workspace.root / "people.yaml").write_text("people: {'@example.org': reviewer}", encoding="utf-8")
    with provider() as known, pytest.MonkeyPatch.context() as patch:
        address = f"http://127.0.0.1:{port}"
        (folder / "secrets.toml").write_text(known.secrets(address), encoding="utf-8")
        patch.setenv("STREAMLIT_SECRETS_FILES", str(folder / "secrets.toml"))
        with server(workspace.root, None, port):
            yield Behind(address, known, data.key, workspace.reviews(data.fingerprint))


def _look(address: str, page: str, cookie: str = "", query: str = "") -> Seen:
    with Window(address, cookie) as window:
        return window.run(page, query)


def test_no_page_and_no_data_before_the_login(behind: Behind) -> None:
    assert len(PAGES) > 30
    for page in PAGES.values():
        seen = _look(behind.address, page, query=f"dataset={behind.key}")
        assert seen.titles() == ["Curate"], page
        text = seen.text()
        assert "Log in" in text
        assert not [word for word in SECRETS if word in text], page
        assert seen.size < 30_000, page


def test_a_cookie_of_ones_own_making_opens_nothing(behind: Behind) -> None:
    mine = behind.login()
    assert _look(behind.address, "rows", mine).titles() == ["Rows"]
    kept = dict(one.split("=", 1) for one in mine.split("; "))
    user, proof = kept["_streamlit_user"], kept["_streamlit_xsrf"]
    for cookie in (f"_streamlit_user={user}", f"_streamlit_user={user[:-4]}AAAA; _streamlit_xsrf={proof}", f"_streamlit_user=e30=; _streamlit_xsrf={proof}"):
        assert _look(behind.address, "rows", cookie).titles() == ["Curate"], cookie[-60:]


def test_every_deep_link_is_reached_after_the_login(behind: Behind) -> None:
    cookie = behind.login()
    for title, page in PAGES.items():
        assert _look(behind.address, page, cookie, f"dataset={behind.key}").titles()[:1] == [title], page


def test_who_has_no_role_is_not_let_in(behind: Behind) -> None:
    for claims in ({"email": "eve@elsewhere.org"}, {"email_verified": False}, {"email": None}):
        seen = _look(behind.address, "rows", behind.login(**claims), f"dataset={behind.key}")
        assert seen.titles() == ["Not let in"]
        assert not [word for word in SECRETS if word in seen.text()]


@pytest.mark.browser
def test_a_deep_link_in_a_browser_comes_out_where_it_led(behind: Behind) -> None:
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{behind.address}/rows?dataset={behind.key}")
        settled(page, "Curate")
        assert not page.locator("[data-testid=stSidebarNav]").is_visible()
        behind.provider.claims = None
        page.get_by_role("button", name="Log in").click()
        settled(page, "Curate")
        page.goto(f"{behind.address}/review?dataset={behind.key}")
        settled(page, "Curate")
        behind.provider.claims = RITA
        page.get_by_role("button", name="Log in").click()
        settled(page, "Review")
        assert page.url.endswith(f"/review?dataset={behind.key}")
        page.get_by_text("Your name: Rita").wait_for()
        page.locator("section[data-row]").wait_for()
        page.keyboard.press("d")
        expect(page.locator("section .status")).not_to_contain_text("on the way")
        page.wait_for_timeout(500)
        assert [(r.action, r.by) for r in read_log(behind.log)] == [("drop", "Rita")]
        page.get_by_role("button", name="Rita · reviewer").click()
        page.get_by_role("button", name="Log out").click()
        settled(page, "Curate")
