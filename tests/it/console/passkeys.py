"""A person makes a passkey in a real browser, an admin confirms it, and it signs what the policy asks for.
The authenticator is Chromium's virtual one: the same code path as a real one, without a finger."""

import json
import urllib.error

from browser import main
from people import act_as, ask, begin

FINGER = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
          "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}


def authenticator(page):
    """A virtual one for this page; says commands to it."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": FINGER})
    return lambda what, **more: session.send(
        f"WebAuthn.{what}", {"authenticatorId": made["authenticatorId"], **more})


def refused(given, path, body):
    """The code with which this is refused, said as the approver."""
    try:
        ask(given, "approver", path, body)
    except urllib.error.HTTPError as error:
        return json.load(error)["code"]
    raise AssertionError(f"{path}: {body} was taken")


def enrol(visit):
    """It is made by its person, and is good for nothing before an admin has asked them."""
    page = visit.page
    visit.open("/you")
    act_as(page, "approver")
    assert "You have none yet" in visit.text()
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_text("waits for an admin", exact=True).wait_for()
    visit.look("you")


def confirm(visit, decision):
    page = visit.open(f"/inbox/{decision}")
    assert "no admin has confirmed yours yet" in visit.text(), visit.text()
    assert not page.get_by_role("button", name="Approve").is_visible()
    act_as(page, "author")
    visit.open("/you")
    visit.look("you-admin")
    visit.goes(page.get_by_role("button", name="It is approver's").click)
    page.get_by_text("Passkeys that wait for you").wait_for(state="hidden")
    act_as(page, "approver")


def approve(visit, decision):
    """By keys alone; gives what the browser has handed in."""
    page = visit.open(f"/inbox/{decision}")
    handed_in = []
    page.on("request", lambda request: request.url.endswith("/votes") and handed_in.append(request.post_data_json))
    page.keyboard.press("a")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_text("approver says approve (passkey,").wait_for()
    return handed_in[0]


def on_a_page_of_another(visit, given, credential, decision):
    """What a page elsewhere gets out of the same key, for the same challenge, is taken for nothing."""
    digest = ask(given, "approver", f"/api/v1/decisions/{decision}", None)["digest"]
    to_sign = ask(given, "approver", f"/api/v1/decisions/{decision}/sign", {"digest": digest, "verdict": "approve"})
    context = visit.context.browser.new_context()
    evil = "http://evil.localhost:7480"
    context.route(evil + "/**", lambda route: route.fulfill(body="<title>elsewhere</title>", content_type="text/html"))
    page = context.new_page()
    page.goto(evil + "/")
    tell = authenticator(page)
    tell("addCredential", credential={**credential, "rpId": "evil.localhost", "isResidentCredential": True})
    signature = page.evaluate("""async (challenge) => {
      const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
      const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
        .replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');
      const { response } = await navigator.credentials.get({ publicKey: {
        challenge: bytes(challenge), rpId: 'evil.localhost', userVerification: 'required' } });
      const parts = [response.authenticatorData, response.clientDataJSON, response.signature];
      return 'webauthn.' + parts.map(text).join('.');
    }""", to_sign["options"]["challenge"])
    context.close()
    envelope = {"document": to_sign["document"], "signature": signature}
    assert refused(given, "/api/v1/votes", envelope) == "PL3042"


def cloned(visit, tell, credential, decision):
    """A second authenticator with the same key has counted less: its vote is refused, and the key is gone."""
    page = visit.open(f"/inbox/{decision}")
    tell("removeCredential", credentialId=credential["credentialId"])
    tell("addCredential", credential={**credential, "signCount": 0})
    page.get_by_role("button", name="Approve with passkey").click()
    page.get_by_text("PL5042").wait_for()
    visit.open("/you")
    page.get_by_text("revoked", exact=True).wait_for()
    visit.look("you-revoked")


def passkeys(visit, given):
    first, second = begin(given, "notify-sales"), begin(given, "notify-board")
    tell = authenticator(visit.page)
    enrol(visit)
    confirm(visit, first)
    visit.open(f"/inbox/{first}")
    visit.look("card-passkey")
    envelope = approve(visit, first)
    visit.goes(visit.page.locator("a[href^='/runs/run_']").first.click, "**/runs/run_*")
    visit.page.get_by_text("the run ended well").wait_for()
    # what was signed is good for this, once
    assert refused(given, "/api/v1/votes", envelope) == "PL3011"
    digest = ask(given, "approver", f"/api/v1/decisions/{second}", None)["digest"]
    other = ask(given, "approver", f"/api/v1/decisions/{second}/sign", {"digest": digest, "verdict": "approve"})
    replayed = {"document": other["document"], "signature": envelope["signature"]}
    assert refused(given, "/api/v1/votes", replayed) == "PL3042"
    [credential] = tell("getCredentials")["credentials"]
    on_a_page_of_another(visit, given, credential, second)
    cloned(visit, tell, credential, second)
    return {"counted": credential["signCount"], "first": first, "second": second}


if __name__ == "__main__":
    main({"passkeys": passkeys})
