"""What people do at the console, and what they see there. One journey, so that engine and browser start
once; each part of it is a visit to one place."""

import json
import time

from browser import main, visiting
from people import act_as, begin


def marked(page):
    """Puts a mark on the page that a reload would wipe off; says later whether it is still there."""
    page.evaluate("window.__here = true")
    return lambda: page.evaluate("window.__here === true")


def first_approval(visit, given):
    """Somebody who has never been here is led from an empty inbox to what would have been sent."""
    page, began = visit.page, time.monotonic()
    visit.goes(page.get_by_role("link", name="Go on").click)
    visit.goes(page.get_by_role("link", name="Try your first approval").click)
    visit.goes(page.get_by_role("button", name="Draft it").click)
    page.get_by_role("button", name="Look at it as").wait_for()
    place = page.url.removeprefix(given["base"])
    visit.goes(page.get_by_role("button", name="Look at it as").click, "**/inbox/dec_*")
    given["decided"] = page.url.rsplit("/", 1)[1]
    assert "C0WELCOME" in visit.text()
    page.keyboard.press("a")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    # the word stands on the card before, too: what cannot is the button
    page.get_by_role("button", name="Approve", exact=True).wait_for(state="detached")
    visit.open(place)
    page.get_by_text("Would have sent exactly what was approved").wait_for()
    # it ends a moment after it has sent
    page.get_by_text("The run is completed").wait_for()
    seconds = time.monotonic() - began
    visit.look("first-done")
    act_as(page, "author")
    visit.open("/first")
    visit.look("first-begin")
    visit.open("/inbox")
    visit.look("inbox-empty")
    return seconds


def live_inbox(visit, given):
    """What somebody else asks for appears by itself, while the page stays the same."""
    page = visit.open("/inbox?filter=all")
    page.get_by_text("Nothing is open").wait_for()
    here = marked(page)
    began = time.monotonic()
    begin(given, "notify-sales", "The quarter is over")
    page.locator("a.main", has_text="C0SALES").first.wait_for()
    seconds = time.monotonic() - began
    assert here(), "the page was not loaded again"
    assert "0 of 1 votes" in visit.text()
    # what one is writing is left alone while more comes
    page.locator("#f-operation").fill("slack.")
    page.evaluate("""document.addEventListener('htmx:afterRequest', event => {
        if (event.detail.target.id === 'live') document.body.dataset.offered = event.detail.xhr.responseText;
    })""")
    begin(given, "notify-support")
    page.locator("body[data-offered*='notify-support']").wait_for()
    assert page.locator("#f-operation").input_value() == "slack." and "notify-support" not in visit.text()
    page.locator("#f-operation").fill("")
    page.locator("#f-operation").blur()
    begin(given, "notify-others")
    page.get_by_text("notify-others").wait_for()
    assert page.locator("a.main").count() == 3 and here()
    visit.look("inbox")
    return seconds


def by_keys(visit, given):
    """Everything is reached without a mouse."""
    page = visit.open("/inbox?filter=all")
    press = page.keyboard.press
    focused = lambda: page.evaluate("document.activeElement.id || document.activeElement.tagName")
    assert not page.get_by_role("button", name="Switch").is_visible(), "choosing is enough where scripts run"
    press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "first the way to the content"
    press("Enter")
    press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)"), focused()
    press("Escape")
    page.evaluate("document.activeElement.blur()")
    press("?")
    page.get_by_role("dialog").wait_for()
    press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    press("/")
    assert focused() == "f-operation", focused()
    press("Escape")
    press("j")
    first = focused()
    press("j")
    second = focused()
    assert first.startswith("i-dec_") and second.startswith("i-dec_") and first != second
    press("k")
    assert focused() == first
    press("Enter")
    page.wait_for_url(f"**/inbox/{first.removeprefix('i-')}")
    visit.open("/first")
    press("g")
    press("i")
    page.wait_for_url("**/inbox")


def the_card(visit, given):
    """An approver sees what would leave, changes it for a trial, and says no with a reason; the run tells of it."""
    decision = begin(given, "notify-board", "Numbers <b>by</b> Friday")
    page = visit.open("/inbox")
    act_as(page, "approver")
    visit.open(f"/inbox/{decision}")
    assert "Numbers <b>by</b> Friday" in visit.text()
    visit.look("card")
    page.keyboard.press("e")
    page.wait_for_url("**/edit")
    visit.look("card-edit")
    visit.open(f"/inbox/{decision}")
    page.keyboard.press("r")
    page.keyboard.type("Not before the board has met")
    with page.expect_navigation():
        page.get_by_role("button", name="Reject").click()
    page.get_by_text("rejected").first.wait_for()
    visit.look("card-rejected")
    visit.goes(page.locator("a[href^='/runs/run_']").first.click, "**/runs/run_*")
    page.get_by_text("Not before the board has met").first.wait_for()
    visit.look("run")
    visit.open("/runs")
    visit.look("runs")
    act_as(page, "author")


def looking_back(visit, given):
    """An auditor reads the log both ways, goes back in it, verifies it and takes a proof along."""
    page = visit.open("/audit")
    assert "the engine used up the approval" in visit.text()
    visit.look("audit")
    visit.goes(page.get_by_role("link", name="Show as records").click, "**view=records")
    page.get_by_text("The record").first.click()
    page.get_by_text('"event_id"').first.wait_for()
    visit.look("audit-records")
    # how far it has come is shown while it goes: the answer is held back until that was seen
    held, far = [], "**/api/v1/audit/verify"
    page.route("**/audit/verify", lambda route: held.append(route) if "/api/" not in route.request.url else route.fallback())
    page.route(far, lambda route: route.fulfill(json={"running": [{"read": 3, "of": 9}]}))
    page.get_by_role("button", name="Verify the log").click()
    page.locator(".verify .far", has_text="3 of 9").wait_for()
    assert page.locator(".verify progress").evaluate("bar => [bar.value, bar.max]") == [3, 9]
    page.unroute(far)
    held.pop().continue_()
    page.get_by_text("The log is whole").wait_for()
    assert page.url.endswith("view=records"), "the page is still there"
    visit.look("audit-verified")
    slider = page.locator("#at")
    head = int(slider.get_attribute("max"))
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/audit?at={head - 1}")
    visit.goes(page.get_by_role("link", name="One back").click, f"**/audit?at={head - 2}")
    assert "Open decisions: 2" in visit.text(), visit.text()
    visit.look("audit-past")
    visit.goes(page.get_by_role("link", name="What this event says").click, "**/audit/story/*")
    visit.look("audit-story")
    visit.open("/audit")
    page.locator("#proof").fill(given["decided"])
    with page.expect_download() as proof:
        page.get_by_role("button", name="Download").click()
    receipt = json.loads(proof.value.path().read_text())
    assert proof.value.suggested_filename == f"{given['decided']}.receipt.json"
    assert given["decided"] in json.dumps(receipt)


def the_rules(visit, given):
    """Whoever may read the project sees the policy in words, and tries another one on what was asked before."""
    page = visit.open("/policy")
    assert "no rule of your own yet" in visit.text()
    visit.look("policy")
    page.get_by_label("A whole policy.yaml").fill("rules:\n  - { name: two, match: {}, require: { deny: true } }\n")
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("4 requests: 4 would be asked otherwise").wait_for()
    visit.look("policy-trial")


def charts(visit, given):
    """What was decided and sent stands in pictures, and below each in a table."""
    page = visit.open("/charts")
    assert "1 in the sandbox" in visit.text(), visit.text()
    visit.look("charts")
    page.locator("section[aria-labelledby='c-decisions'] summary").click()
    page.get_by_role("columnheader", name="approved").wait_for()
    visit.goes(page.get_by_role("link", name="Last 6 hours").click, "**/charts?span=hours")
    visit.look("charts-hours")


def connections(visit, given):
    """An operator looks at what is connected, connects, switches, and disconnects by the name."""
    page = visit.open("/integrations")
    page.get_by_role("button", name="Sync now").first.wait_for()
    visit.look("integrations")
    visit.goes(page.get_by_role("link", name="Connect another Slack").click)
    page.locator("form[action='/connect/slack'] input[name=name]").fill("slack-ops")
    visit.look("integration-connect")
    visit.goes(page.get_by_role("button", name="Connect", exact=True).click, "**/integrations/slack-ops")
    visit.look("integration")
    visit.goes(page.get_by_role("button", name="Switch it off").click)
    page.get_by_text("switched off").wait_for()
    visit.goes(page.get_by_role("link", name="Settings…").click)
    page.get_by_label("notify_to").fill("C0TEAM")
    visit.look("integration-settings")
    visit.goes(page.get_by_role("button", name="Save").click)
    page.get_by_text("C0TEAM").wait_for()
    visit.goes(page.get_by_role("link", name="Disconnect…").click)
    page.get_by_label("Write its name").fill("slack-ops")
    visit.look("integration-disconnect")
    visit.goes(page.get_by_role("button", name="Disconnect").click)
    page.get_by_text("slack-ops is disconnected").wait_for()


def the_workflows(visit, given):
    """An author reads a workflow, sees its flow drawn, and starts it from a form."""
    page = visit.open("/workflows")
    visit.look("workflows")
    visit.goes(page.get_by_role("link", name="acme/notify-sales").click)
    page.get_by_text("C0SALES").wait_for()
    drawn = page.locator("img.graph")
    drawn.evaluate("image => image.decode()")
    assert drawn.evaluate("image => image.naturalWidth") > 50
    visit.look("workflow")
    visit.goes(page.get_by_role("button", name="Start").click, "**/runs/run_*")


def without_scripts(visit, given):
    """Reading, filtering, acting as another and stopping everything need no script."""
    state = visit.context.storage_state()
    browser = visit.context.browser
    with visiting(browser, given["base"], visit.screens, storage_state=state, java_script_enabled=False) as plain:
        page = plain.open("/inbox?filter=all")
        assert "C0SALES" in plain.text()
        page.locator("#f-mode").select_option("live")
        plain.goes(page.get_by_role("button", name="Filter").click)
        assert "Nothing open fits these filters" in plain.text() and "mode=live" in page.url
        plain.goes(page.get_by_role("button", name="Pause everything").click)
        assert "Paused: nothing leaves" in plain.text() and "mode=live" in page.url
        plain.goes(page.get_by_role("button", name="Resume").click)
        page.locator("#act-as").select_option("approver")
        plain.goes(page.get_by_role("button", name="Switch").click)
        assert page.locator("#act-as").input_value() == "approver"
        page.locator("#act-as").select_option("author")
        plain.goes(page.get_by_role("button", name="Switch").click)


def visitor(visit, given):
    first = first_approval(visit, given)
    live = live_inbox(visit, given)
    by_keys(visit, given)
    looking_back(visit, given)
    the_rules(visit, given)
    charts(visit, given)
    connections(visit, given)
    the_workflows(visit, given)
    the_card(visit, given)
    without_scripts(visit, given)
    return {"first_approval_s": round(first, 2), "live_s": round(live, 2)}


main({"visitor": visitor})
