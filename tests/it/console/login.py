"""A person logs in at the login server of their organization, which is not ours, makes a passkey, and,
logged in anew, signs a decision with it."""

from browser import main
from passkeys import authenticator


def log_in(visit, given, who="u1"):
    """By the button of the page that says that nobody is logged in; ends where they wanted to go."""
    page = visit.open("/inbox?filter=all", status=401)
    page.get_by_role("link", name="Log in with").click()
    page.wait_for_url(f"http://{given['also']}/**")
    page.get_by_role("button", name=who, exact=True).click()


def comes_in(visit, given):
    page = visit.page
    visit.open("/inbox", status=401)
    visit.look("login")
    # somebody whom the login server knows, and this project does not
    log_in(visit, given, who="u2")
    page.get_by_text("PL4052").wait_for()
    assert "eve" in visit.text() and "knows nobody of that name" in visit.text()
    # somebody who declines
    page.get_by_role("link", name="again").click()
    page.get_by_role("button", name="Deny").click()
    page.get_by_text("PL5044").wait_for()
    log_in(visit, given)
    page.wait_for_url("**/inbox?filter=all")
    tell = authenticator(page)
    visit.open("/you")
    assert "You are ana" in visit.text() and "this one" in visit.text()
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_text("waits for an admin", exact=True).wait_for()
    passkey = page.locator("tbody th code").inner_text()
    [credential] = tell("getCredentials")["credentials"]
    page.get_by_role("button", name="Log out", exact=True).click()
    page.get_by_role("heading", name="Logged out").wait_for()
    visit.open("/inbox", status=401)
    return {"passkey": passkey, "credential": credential}


def decides(visit, given):
    page = visit.page
    log_in(visit, given)
    page.wait_for_url("**/inbox?filter=all")
    tell = authenticator(page)
    tell("addCredential", credential=given["credential"])
    page.locator("a.main").first.click()
    page.wait_for_url("**/inbox/dec_*")
    # the vote may show by itself before the page that the script asks for has come
    with page.expect_navigation():
        page.get_by_role("button", name="Approve with passkey").click()
    page.get_by_text("ana says approve (passkey,").wait_for()
    visit.look("login-decided")


if __name__ == "__main__":
    main({"comes_in": comes_in, "decides": decides})
