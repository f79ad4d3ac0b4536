"""What a person does with the dashboard."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import PICTURES, TOKEN, eventually, example_api, picture
from playwright.sync_api import expect

VIEWS = ["overview", "entries", "purge", "warm"]
ATTACK = "/api/posts/?<img/src=x/onerror=document.title='attacked'>"


def text(page, identifier):
    return page.locator(f"#{identifier}").inner_text()


@pytest.fixture(scope="session")
def full_api():
    """An example API with entries and requests, for tests that change nothing."""
    with example_api(LARDER_ADMIN_ACCESS="loopback") as api:
        fill(api)
        yield api


def fill(api):
    """Has the example API store a few responses, and answer a few requests from them."""
    for number in range(1, 9):
        api.send("GET", f"/api/users/{number}")
    for _ in range(20):
        api.send("GET", "/api/posts/")
    api.send("GET", "/api/posts/?nocache=true")
    api.send("GET", "/api/users/1", {"Cookie": "session=1"})
    api.send("PUT", "/api/users/8", content='{"name":"New"}')
    api.send("GET", ATTACK)


def test_an_empty_cache_says_how_to_send_a_request(api, tabs):
    page = tabs.open(api.page)
    expect(page.locator("#p-requests")).to_contain_text(f"curl -i {api.url}/api/posts/")
    expect(page.locator("#t-ratio")).to_have_text("–")
    picture(page, "empty")


def test_hits_appear_live(api, tabs):
    page = tabs.open(api.page)
    assert text(page, "t-requests").startswith("0")
    for _ in range(10):
        api.send("GET", "/api/posts/")
    expect(page.locator("#t-ratio")).to_have_text(re.compile(r"^90.0\s%$"))
    expect(page.locator("#n-ratio")).to_have_text(re.compile(r"^of 10\slook-ups$"))
    expect(page.locator("#summary")).to_contain_text("9 of 10")
    # The charts follow with their next point.
    expect(page.locator("#p-requests rect.s-hit").first).to_be_attached()
    expect(page.locator("#top")).to_contain_text("GET:/api/posts/")
    for _ in range(10):
        api.send("GET", "/api/posts/")
    expect(page.locator("#n-ratio")).to_have_text(re.compile(r"^of 20\slook-ups$"))


def test_the_window_can_be_chosen_and_updates_can_be_paused(api, tabs):
    fill(api)
    page = tabs.open(api.page)
    with page.expect_request(re.compile(r"/larder/v1/events\?window=60$")):
        page.get_by_label("1 min").check()
    expect(page.locator("#connection")).to_have_text("Live")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#connection")).to_contain_text("Paused at")
    before = text(page, "n-ratio")
    api.send("GET", "/api/posts/")
    page.wait_for_timeout(3000)
    assert text(page, "n-ratio") == before
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#n-ratio")).not_to_have_text(before)


def test_reasons_are_given_in_words(full_api, tabs):
    page = tabs.open(full_api.page)
    expect(page.locator("#bypasses")).to_contain_text("The client asked for it with ?nocache=true.")
    expect(page.locator("#bypasses")).to_contain_text("The request has a cookie that may identify a user.")


def test_a_look_up_explains_what_would_be_served(full_api, tabs):
    page = tabs.open(full_api.page + "#/entries")
    page.get_by_label("Key or path").fill("/api/posts/")
    page.get_by_role("button", name="Look up").click()
    entry = page.locator("#entry")
    expect(entry.get_by_role("heading", name="GET:/api/posts/")).to_be_visible()
    expect(entry.locator(".pill")).to_have_text("Hit")
    expect(entry).to_contain_text("fresh for")
    expect(entry).to_contain_text("200")
    page.locator("#look-more summary").click()
    page.locator("#look-fields").fill("Cookie: session=1")
    page.get_by_role("button", name="Look up").click()
    expect(entry.locator(".pill").first).to_have_text("Bypass")
    expect(entry).to_contain_text("cookie")
    page.locator("#look-fields").fill("no field")
    page.get_by_role("button", name="Look up").click()
    expect(entry.get_by_role("alert")).to_contain_text("This is not a field")
    page.locator("#look-fields").fill("")
    page.get_by_label("Key or path").fill("GET:/api/nothing")
    page.get_by_role("button", name="Look up").click()
    expect(entry.get_by_role("alert")).to_contain_text("Nothing is stored")
    tabs.expected("404")


def test_entries_are_listed_by_filters_and_in_pages(api, tabs):
    for number in range(1, 121):
        api.send("GET", f"/api/users/{number}")
    api.send("GET", "/api/posts/")
    page = tabs.open(api.page + "#/entries")
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(50)
    seen = set()
    while True:
        seen |= set(rows.locator("th").all_inner_texts())
        following = page.get_by_role("button", name="Next page")
        if not following.count() or following.is_disabled():
            break
        with page.expect_response(re.compile("/v1/entries")):
            following.click()
        expect(page.locator("#list p[tabindex]")).to_be_focused()
    assert len(seen) == 121
    page.get_by_label("Filter").select_option("match")
    page.locator("#list-value").fill("posts")
    page.get_by_role("button", name="List", exact=True).click()
    expect(rows).to_have_count(1)
    page.get_by_label("Filter").select_option("prefix")
    page.locator("#list-value").fill("/api/users/7")
    page.get_by_role("button", name="List", exact=True).click()
    expect(rows.locator("th")).to_have_text(["GET:/api/users/7"])
    page.get_by_role("link", name="GET:/api/users/7").click()
    expect(page.locator("#entry")).to_contain_text("GET:/api/users/7")


def test_a_purge_counts_asks_and_removes(api, tabs):
    fill(api)
    page = tabs.open(api.page + "#/purge")
    sent = []
    page.on("request", lambda request: "/v1/purge" in request.url and sent.append(json.loads(request.post_data)))
    page.locator("#purge-values").fill("/api/users")
    page.get_by_role("button", name="Count what matches…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(re.compile(r"^Remove 7\sentries\?$"))
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    picture(page, "confirmation")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert [request["dry_run"] for request in sent] == [True]
    assert "hit" in api.send("GET", "/api/users/1")[1]["Cache-Status"]
    page.get_by_role("button", name="Count what matches…").click()
    dialog.get_by_role("button", name=re.compile("^Remove 7")).click()
    title = page.locator("#purge-result h3")
    expect(title).to_have_text(re.compile(r"^Removed: 7\sentries$"))
    expect(title).to_be_focused()
    assert [request.get("dry_run", False) for request in sent] == [True, True, False]
    assert "fwd=uri-miss" in api.send("GET", "/api/users/1")[1]["Cache-Status"]
    assert "hit" in api.send("GET", "/api/posts/")[1]["Cache-Status"]


def test_a_soft_purge_and_a_purge_of_everything(api, tabs):
    fill(api)
    page = tabs.open(api.page + "#/purge")
    page.get_by_label("What to purge").select_option("keys")
    page.locator("#purge-values").fill("GET:/api/posts/")
    page.get_by_label("Soft").check()
    page.get_by_role("button", name="Count what matches…").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Make stale")).click()
    expect(page.locator("#purge-result h3")).to_have_text(re.compile(r"^Made stale: 1\sentry$"))
    page.get_by_label("Hard").check()
    page.get_by_label("What to purge").select_option("everything")
    expect(page.locator("#purge-values")).to_be_hidden()
    page.get_by_role("button", name="Count what matches…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The whole cache is emptied")
    dialog.get_by_role("button", name=re.compile("^Remove")).click()
    expect(page.locator("#purge-result h3")).to_contain_text("Removed: 9")
    page.get_by_role("button", name="Count what matches…").click()
    expect(dialog).to_contain_text("Nothing that is stored matches.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Entries").click()
    expect(page.locator("#list")).to_contain_text("Nothing is stored yet.")


def test_a_purge_with_a_wrong_value_says_what_was_expected(api, tabs):
    page = tabs.open(api.page + "#/purge")
    page.locator("#purge-values").fill("no path")
    page.get_by_role("button", name="Count what matches…").click()
    expect(page.locator("#purge-result").get_by_role("alert")).to_be_visible()
    tabs.expected("400")


def test_paths_are_warmed(api, tabs):
    page = tabs.open(api.page + "#/warm")
    page.locator("#warm-urls").fill("\n".join(["/api/posts/", *(f"/api/users/{number}" for number in range(1, 31))]))
    page.get_by_role("button", name="Warm", exact=True).click()
    expect(page.locator("#warm-result h3")).to_have_text("Warmed")
    expect(page.locator("#warm-result")).to_contain_text("31 of 31")
    assert "hit" in api.send("GET", "/api/users/30")[1]["Cache-Status"]
    page.locator("#warm-urls").fill("no path")
    page.get_by_role("button", name="Warm", exact=True).click()
    expect(page.locator("#warm-result").get_by_role("alert")).to_contain_text("This is not a path: no path")


def test_a_page_of_a_loopback_api_does_not_ask_for_a_token(full_api, tabs):
    page = tabs.open(full_api.page)
    expect(page.locator("#gate")).to_be_hidden()
    expect(page.get_by_role("button", name="Forget token")).to_be_hidden()


def test_the_token_is_asked_for_once_and_a_wrong_one_again(closed_api, tabs):
    page = tabs.open(closed_api.page, waits=False)
    field = page.get_by_label("Token", exact=True)
    expect(field).to_be_focused()
    expect(page.locator("nav")).to_be_hidden()
    picture(page, "token")
    field.fill("wrong-token-0123456789")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("The server refused this token.")
    expect(page.locator("#connection")).to_have_text("Token refused")
    expect(field).to_have_value("")
    field.fill("größer als erlaubt")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("A token has only letters")
    field.fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#gate")).to_be_hidden()
    assert page.evaluate("Object.values(sessionStorage)") == [TOKEN]
    assert page.evaluate("Object.values(localStorage)") == []
    page.reload()
    expect(page.locator("#connection")).to_have_text("Live")
    assert TOKEN not in page.url and TOKEN not in page.content()
    page.get_by_role("button", name="Forget token").click()
    expect(field).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0
    tabs.expected("401")


def test_a_token_that_is_refused_later_is_asked_for_again(tabs):
    with example_api(LARDER_ADMIN_TOKEN=TOKEN) as api:
        page = tabs.open(api.page, waits=False)
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#connection")).to_have_text("Live")
        api.stop()
        api.environment["LARDER_ADMIN_TOKEN"] = "another-token-0123456789"
        api.start()
        expect(page.locator("#connection")).to_have_text("Token refused", timeout=30_000)
        expect(page.locator("#view-overview")).to_be_hidden()
        for error in ("401", "ERR_"):
            tabs.expected(error)


def test_a_server_that_answers_no_client_is_explained(tabs):
    with example_api() as api:
        page = tabs.open(api.page, waits=False)
        expect(page.locator("#connection")).to_have_text("No access")
        expect(page.locator("#banner")).to_contain_text("needs an admin token, and none is configured")
        tabs.expected("403")


def test_the_page_reconnects(api, tabs):
    fill(api)
    page = tabs.open(api.page)
    api.stop()
    expect(page.locator("#connection")).to_have_text("Reconnecting")
    expect(page.locator("#banner")).to_contain_text("The numbers are those of")
    expect(page.locator("#banner")).to_contain_text("Next attempt in")
    picture(page, "reconnecting")
    api.start()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#banner")).to_be_hidden()
    tabs.expected("ERR_")


def test_a_key_with_markup_is_shown_as_text(full_api, tabs):
    page = tabs.open(full_api.page)
    expect(page.locator("#top")).to_contain_text("<img/src=x/onerror")
    page.get_by_role("link", name="Entries").click()
    page.get_by_role("link", name="GET:" + ATTACK).click()
    expect(page.locator("#entry h3")).to_have_text("GET:" + ATTACK)
    page.get_by_role("link", name="Purge this key…").click()
    expect(page.locator("#purge-values")).to_have_value("GET:" + ATTACK)
    page.get_by_role("button", name="Count what matches…").click()
    expect(page.get_by_role("dialog")).to_contain_text("<img/src=x/onerror")
    page.keyboard.press("Escape")
    assert page.locator("img").count() == 0
    assert "attacked" not in page.title()


def test_whatever_the_server_sends_is_shown_as_text(full_api, tabs):
    bad = "<img src=x onerror=alert(1)>\u0000\u0007\u001b[31m\u202e\u200b\ud800\"'</script><script>alert(1)</script>"
    shown = r"<img src=x onerror=alert(1)>\u{0}\u{7}\u{1b}[31m\u{202e}\u{200b}"

    def poison(value):
        if isinstance(value, dict):
            return {name: poison(item) for name, item in value.items()}
        if isinstance(value, list):
            return [poison(item) for item in value]
        # Times and results stay what they are, since the page would not show anything else.
        return bad if isinstance(value, str) and not re.match(r"\d{4}-|hit$|[A-Z]{3}:/api/users/1$", value) else value

    def answer(route):
        is_stream = "/v1/events" in route.request.url
        response = route.fetch(url=route.request.url.replace("/v1/events", "/v1/statistics"))
        content = poison(response.json())
        if "reasons" in content:
            content["reasons"] = {name: {bad: 3} for name in content["reasons"]}
            content["origins"] = [{"origin": bad, "available": False, "requests": 1, "mean": 1, "p99": 1}]
        for entry in content.get("entries", []):
            entry["tags"] = [bad]
        for variant in content.get("variants", []):
            variant["tags"] = [bad]
            variant["selecting_fields"] = [{"name": bad, "value": bad}]
        if is_stream:
            route.fulfill(content_type="text/event-stream", body=f"event: statistics\ndata: {json.dumps(content)}\n\n")
        else:
            route.fulfill(response=response, body=json.dumps(content))

    page = tabs.open(full_api.page)
    page.route(re.compile("/v1/(events|statistics|top|entries|entry)"), answer)
    page.reload()
    expect(page.locator("#top")).to_contain_text(shown)
    expect(page.locator("#not-stored")).to_contain_text(shown[:38])
    page.get_by_role("link", name="Entries").click()
    expect(page.locator("#list")).to_contain_text(shown)
    page.get_by_label("Key or path").fill("/api/users/1")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator("#entry")).to_contain_text(shown)
    page.locator("#entry .tag").first.click()
    expect(page.locator("#list-value")).to_have_value(re.compile("^<img src=x"))
    assert page.locator("img").count() == 0 and page.locator("script").count() == 1
    tabs.expected("400")


def test_the_policy_of_the_page_stops_what_is_injected(full_api, tabs):
    page = tabs.open(full_api.page)
    # As a fault of the page would do it.
    page.evaluate("""() => {
        const script = document.createElement('script');
        try { script.textContent = "document.title = 'attacked'"; document.head.append(script); } catch {}
        try { document.body.innerHTML = '<img src=x onerror="document.title = 1">'; } catch {}
        const image = new Image();
        image.src = 'http://127.0.0.1:1/';
        document.body.append(image);
        fetch('http://127.0.0.1:1/').catch(() => {});
    }""")
    page.wait_for_timeout(300)
    assert page.title().startswith("Larder")
    refused = [error for error in tabs.errors if error.startswith("CSP: ")]
    assert {error.split()[1] for error in refused} >= {"require-trusted-types-for", "img-src", "connect-src"}
    tabs.errors.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440, 2560])
def test_no_view_scrolls_sideways(full_api, tabs, width, scheme):
    page = tabs.open(full_api.page, width=width, scheme=scheme)
    expect(page.locator("#p-requests rect").first).to_be_attached()
    full_api.send("GET", "/api/posts/")
    for view in VIEWS:
        page.goto(full_api.page + f"#/{view}" + ("?key=GET:/api/posts/" if view == "entries" else ""))
        expect(page.locator(f"#view-{view}")).to_be_visible()
        if view == "entries":
            expect(page.locator("#entry .variant")).to_be_visible()
            expect(page.locator("#list tbody tr").first).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        picture(page, f"{view}-{width}-{scheme}", full=True)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false; })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing(full_api, closed_api, tabs, width, scheme):
    # axe-core changes the page in ways that its policy forbids.
    page = tabs.open(full_api.page, width=width, scheme=scheme, bypass_csp=True)
    expect(page.locator("#p-requests rect").first).to_be_attached()

    def check(what):
        result = Axe().run(page)
        found = [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in result.response["violations"]]
        assert found == [], what
        assert len(result.response["passes"]) > 10

    full_api.send("GET", "/api/posts/")
    for view in VIEWS:
        page.goto(full_api.page + f"#/{view}" + ("?key=GET:/api/posts/" if view == "entries" else ""))
        if view == "entries":
            expect(page.locator("#entry .variant")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        check(view)
    page.goto(full_api.page + "#/purge?by=keys&values=GET:/api/posts/")
    page.get_by_role("button", name="Count what matches…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check("the confirmation")
    page.goto(full_api.url)
    expect(page.get_by_role("link", name="The dashboard")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture(page, f"home-{width}-{scheme}")
    check("the start page of the example API")
    page = tabs.open(closed_api.page, width=width, scheme=scheme, waits=False, bypass_csp=True)
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    check("the token")
    tabs.expected("401")


FOCUS = """() => {
    const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
    const outlined = [one, one.closest('.segments')]
        .some((part) => part && getComputedStyle(part).outlineStyle !== 'none');
    window.places ??= [];
    if (!places.includes(one)) places.push(one);
    return {
        place: places.indexOf(one),
        name: one.id || one.value || one.getAttribute('aria-label') || one.textContent.trim().slice(0, 40),
        tag: one.tagName, outlined, visible: box.width > 0 && box.height > 0 && style.visibility === 'visible',
    };
}"""


def walk(page):
    """Presses Tab through the page, and returns what had the focus."""
    page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)")
    page.evaluate("document.querySelector('.skip').focus()")
    places = []
    for _ in range(120):
        place = page.evaluate(FOCUS)
        if place["tag"] == "BODY" or place["place"] in [before["place"] for before in places]:
            break
        places.append(place)
        page.keyboard.press("Tab")
    return places


def test_everything_can_be_reached_and_used_with_the_keyboard(api, tabs):
    fill(api)
    page = tabs.open(api.page)
    expect(page.locator("#p-requests rect").first).to_be_attached()
    expect(page.locator("#top tbody tr").first).to_be_visible()
    places = walk(page)
    assert all(place["outlined"] and place["visible"] for place in places), places
    names = " | ".join(place["name"] for place in places)
    for name in ["Overview", "Entries", "Purge", "Warm", "pause", "theme", "Requests per second: choose a time",
                 "Hit ratio: choose a time", "Latency, p99: choose a time", "Store: choose a time", "top-by",
                 "top-limit", "GET:/api/posts/"]:
        assert name in names, name
    # A chart says its values for each time.
    page.get_by_role("slider", name="Requests per second").focus()
    page.keyboard.press("Home")
    first = page.get_by_role("slider", name="Requests per second").get_attribute("aria-valuetext")
    page.keyboard.press("End")
    last = page.get_by_role("slider", name="Requests per second").get_attribute("aria-valuetext")
    assert re.match(r"\d\d:\d\d:\d\d: ", first) and re.match(r"\d\d:\d\d:\d\d: ", last) and first != last
    expect(page.locator("#p-requests .tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#p-requests .tip")).to_be_hidden()
    # A purge without a mouse.
    page.get_by_role("link", name="Purge").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Purge")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("What to purge")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("/api/users")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Count"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#purge-result h3")).to_contain_text("Removed: 7")
    for view in ["entries", "warm"]:
        page.goto(api.page + f"#/{view}")
        places = walk(page)
        assert len(places) > 8 and all(place["outlined"] and place["visible"] for place in places), places


def test_changes_are_announced(api, tabs):
    page = tabs.open(api.page)
    page.evaluate("""() => {
        window.heard = [];
        new MutationObserver(() => { heard.push(document.getElementById('status').textContent); })
            .observe(document.getElementById('status'), { childList: true, characterData: true, subtree: true });
    }""")
    fill(api)
    expect(page.locator("#n-ratio")).to_contain_text("look-ups")
    assert page.evaluate("heard.filter(Boolean)") == []
    page.get_by_role("button", name="Pause").click()
    eventually("the pause is announced", lambda: "Paused at" in str(page.evaluate("heard")))
    page.get_by_role("button", name="Resume").click()
    eventually("the connection is announced", lambda: "Live" in page.evaluate("heard"))


def test_the_theme_can_be_chosen_and_stays(full_api, tabs):
    page = tabs.open(full_api.page, scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_label("Theme").select_option("")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_motion_is_reduced_and_print_has_no_controls(full_api, tabs):
    page = tabs.open(full_api.page, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('.meter > span')).transitionDuration") == "0s"
    expect(page.locator("#p-requests rect").first).to_be_attached()
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("nav")).to_be_hidden()
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(21, 32, 43)"
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.pdf(path=PICTURES / "print.pdf", format="A4")


def test_values_are_in_tables_beside_the_charts(full_api, tabs):
    page = tabs.open(full_api.page)
    figure = page.get_by_role("figure", name="Requests by result")
    expect(figure.locator("rect").first).to_be_attached()
    figure.get_by_text("Values").click()
    expect(figure.get_by_role("columnheader")).to_have_text(
        ["Until", "Hit", "Stale", "Collapsed", "Miss", "Bypass", "Write", "Error"]
    )
    expect(figure.get_by_role("rowheader").first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
