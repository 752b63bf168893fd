"""A person's browser: Debian's Chromium, with what no visit may do held for all of them.

A journey is a function of a `Visit`. It says what the person does and sees; the visit says, at its end,
whether a page of another origin was asked for, a script failed, the policy of the page was broken, or an
answer was a failure of ours. `Visit.look` writes a picture for people and asks axe-core for what is out
of reach for some of them, on a wide page and on a phone, by day and by night.
"""

import json
import os
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
# a busy machine may take long; a journey that hangs still ends
PATIENCE_MS = 60_000
# reported at the page itself: it writes before any script of the page runs
WATCH = """
window.__broken = [];
addEventListener('securitypolicyviolation', e =>
  window.__broken.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
// while somebody looks, nothing is put in again: axe-core holds styles on elements that it measures
addEventListener('htmx:beforeSwap', e => { if (window.__looking) e.detail.shouldSwap = false; });
"""


class Visit:
    """One person at the console, logged in."""

    def __init__(self, context, base, screens, scripts=True):
        self.context, self.base, self.screens, self.scripts = context, base, screens, scripts
        # another party that the journey means to meet, such as a login server: its pages are its own affair
        self.also = ""
        self.wrong, self.seen = [], 0
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH)
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("weberror", lambda error: self.wrong.append(f"a script failed: {error.error}"))
        context.on("console", self._said)
        self.page = context.new_page()

    def _asked(self, request):
        parts = urlsplit(request.url)
        ours = (urlsplit(self.base).netloc, self.also)
        from_there = self.also and urlsplit(request.frame.url).netloc == self.also
        if parts.scheme not in ("data", "blob", "about") and parts.netloc not in ours and not from_there:
            self.wrong.append(f"another origin was asked: {request.url}")

    def _answered(self, response):
        if response.status >= 500:
            self.wrong.append(f"{response.status} for {response.request.method} {response.url}")

    def _said(self, message):
        # a browser also says of each 4xx that a journey means to see
        if self.also and urlsplit(message.page.url).netloc == self.also:
            return
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            self.wrong.append(f"the console of the browser at {message.page.url}: {message.text} {message.location}")

    def open(self, path, status=200):
        """Goes to a path of the console; the answer has this status."""
        answer = self.page.goto(self.base + path)
        assert answer is not None and answer.status == status, f"{path}: {answer and answer.status}"
        if status == 200 and self.scripts:
            self.settle()
        return self.page

    def settle(self):
        """Waits until the parts of the page that follow what happens have come for the first time, as they do soon
        after the page itself: what is unfolded in them before is folded again. From then on they are put in again
        only where something has happened."""
        self.page.locator("[hx-trigger*='placet:changed']:not([data-seen])").first.wait_for(state="detached")

    def goes(self, act, to=None):
        """Does what leads to another page, and waits for that page: what is looked for on it may come up on the one
        that is left behind, too, which tells by itself what has happened."""
        with self.page.expect_navigation(url=to):
            act()
        if self.scripts:
            self.settle()

    def text(self):
        """All that the page shows."""
        return self.page.locator("body").inner_text()

    def look(self, name):
        """Pictures of the page as it stands, and no serious fault for those who see or move otherwise."""
        self.page.evaluate("window.__looking = true")
        for width, view in (("wide", WIDE), ("phone", PHONE)):
            self.page.set_viewport_size(view)
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)
                picture = self.screens / f"{name}-{width}-{scheme}.png"
                self.page.screenshot(path=picture, full_page=True)
                # of each width and each scheme one: colours do not know how wide a page is
                if (width, scheme) in (("wide", "light"), ("phone", "dark")):
                    self._accessible(f"{name} ({width}, {scheme})")
            across = self.page.evaluate("document.documentElement.scrollWidth")
            assert across <= view["width"] + 1, f"{name}: {across} px wide on {view['width']}"
        self.page.set_viewport_size(WIDE)
        self.page.emulate_media(color_scheme="light")
        # what axe-core leaves; no page of ours has any
        self.page.evaluate("document.querySelectorAll('[style]').forEach(e => e.removeAttribute('style'))")
        self.page.evaluate("window.__looking = false")
        self.seen += 1

    def _accessible(self, name):
        if not self.page.evaluate("typeof axe !== 'undefined'"):
            self.page.evaluate(Path(os.environ["PLACET_TEST_AXE"]).read_text())
        options = {"resultTypes": ["violations"], "preload": False}
        found = self.page.evaluate("options => axe.run(options)", options)["violations"]
        for one in found:
            if one["impact"] in ("serious", "critical"):
                nodes = [f"{node['html']} ({node['failureSummary']})" for node in one["nodes"]]
                self.wrong.append(f"axe, {name}: {one['id']}: {one['help']}: {'; '.join(nodes[:3])}")

    def close(self):
        """What no visit may do."""
        for page in self.context.pages:
            self.wrong += [f"policy of the page: {what}" for what in page.evaluate("window.__broken || []")]
        assert not self.wrong, "\n".join(self.wrong)


@contextmanager
def visiting(browser, login, screens, **options):
    """A fresh profile, logged in by the link."""
    parts = urlsplit(login)
    base = f"{parts.scheme}://{parts.netloc}"
    context = browser.new_context(viewport=WIDE, **options)
    try:
        visit = Visit(context, base, screens, options.get("java_script_enabled", True))
        if parts.query:
            visit.page.goto(login)
        yield visit
        visit.close()
    finally:
        context.close()


def main(journeys):
    """`SCRIPT JOURNEY`, with what the journey is given as JSON on standard input. Says what it has seen as
    JSON on standard output; a journey that fails says where on standard error and ends with 1."""
    name, given = sys.argv[1], json.load(sys.stdin)
    screens = Path(os.environ["PLACET_TEST_SCREENS"])
    screens.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # root has no sandbox of its own, as in CI
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=os.environ["PLACET_TEST_CHROMIUM"], args=options)
        try:
            with visiting(browser, given["login"], screens, **given.get("context", {})) as visit:
                visit.also = given.get("also", "")
                try:
                    told = journeys[name](visit, given) or {}
                except Exception:
                    visit.page.screenshot(path=screens / f"{name}-failed.png", full_page=True)
                    print(f"at {visit.page.url}\n{visit.text()[:4000]}\n{visit.wrong}", file=sys.stderr)
                    raise
                told["looked_at"] = visit.seen
        except Exception:
            traceback.print_exc()
            sys.exit(1)
        finally:
            browser.close()
    print(json.dumps(told))
