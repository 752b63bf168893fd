"""Stripe's own Python package against the sandbox's server: every operation, and the errors it raises."""
import json
import sys
import urllib.request

import stripe

base = sys.argv[1]
stripe.api_key = "sk_test_anything"
stripe.api_base = base + "/stripe"
stripe.max_network_retries = 0
tried = set()


def fails(kind, status, call):
    try:
        call()
    except kind as error:
        assert error.http_status == status, (status, error.http_status, str(error))
        return error
    raise AssertionError(f"no {kind.__name__}")


def next_goes(operation, error):
    body = json.dumps({"operation": operation, "error": error}).encode()
    asked = urllib.request.Request(base + "/_placet/next", body, {"content-type": "application/json"})
    assert urllib.request.urlopen(asked).status == 200


def does(name, call):
    tried.add("stripe." + name)
    return call()


# create → get → list; what was sent comes back, ids look like Stripe's
ana = does("customers.create", lambda: stripe.Customer.create(
    email="ana@example.com", name="Ana", metadata={"order": "7"}, idempotency_key="k-1"))
assert ana.id.startswith("cus_") and ana.email == "ana@example.com", ana
assert ana.metadata["order"] == "7", ana
got = does("customers.get", lambda: stripe.Customer.retrieve(ana.id))
assert (got.id, got.email, got.name) == (ana.id, "ana@example.com", "Ana"), got
ben = stripe.Customer.create(email="ben@example.com")
assert ben.id != ana.id
listed = does("customers.list", lambda: stripe.Customer.list(limit=10))
assert {ana.id, ben.id} <= {one.id for one in listed.data}, listed
assert len(list(stripe.Customer.list().auto_paging_iter())) == 2

# the same key: the same answer; another payload under it: Stripe's own conflict
again = stripe.Customer.create(
    email="ana@example.com", name="Ana", metadata={"order": "7"}, idempotency_key="k-1")
assert again.id == ana.id
fails(stripe.IdempotencyError, 400,
      lambda: stripe.Customer.create(email="other@example.com", idempotency_key="k-1"))

# a payment: created, confirmed, captured; another cancelled; the state is read back
intent = does("payment_intents.create", lambda: stripe.PaymentIntent.create(
    amount=1200, currency="eur", customer=ana.id))
assert (intent.amount, intent.currency) == (1200, "eur"), intent
assert intent.id.startswith("pi_") and intent.customer == ana.id, intent
does("payment_intents.confirm", lambda: stripe.PaymentIntent.confirm(intent.id))
done = does("payment_intents.capture", lambda: stripe.PaymentIntent.capture(intent.id))
assert (done.id, done.amount, done.status) == (intent.id, 1200, "succeeded"), done
got = does("payment_intents.get", lambda: stripe.PaymentIntent.retrieve(intent.id))
assert (got.status, got.amount) == ("succeeded", 1200), got
other = stripe.PaymentIntent.create(amount=5, currency="eur")
gone = does("payment_intents.cancel", lambda: stripe.PaymentIntent.cancel(other.id))
assert (gone.id, gone.status) == (other.id, "canceled"), gone
assert stripe.PaymentIntent.retrieve(other.id).status == "canceled"
all_of = does("payment_intents.list", lambda: stripe.PaymentIntent.list())
assert {intent.id, other.id} <= {one.id for one in all_of.data}, all_of

# a refund of a payment that was never made here is taken: it may have been made elsewhere
refund = does("refunds.create", lambda: stripe.Refund.create(payment_intent="pi_elsewhere", amount=7))
assert (refund.payment_intent, refund.amount) == ("pi_elsewhere", 7), refund
assert does("refunds.get", lambda: stripe.Refund.retrieve(refund.id)).amount == 7
assert refund.id in {one.id for one in does("refunds.list", lambda: stripe.Refund.list()).data}

# where Stripe is to post: told, listed, taken away, and then nobody knows it
hook = does("webhook_endpoints.create", lambda: stripe.WebhookEndpoint.create(
    url="https://placet.example/hooks/stripe/1", enabled_events=["refund.created"]))
assert hook.id.startswith("we_") and hook.url.endswith("/stripe/1"), hook
assert list(hook.enabled_events) == ["refund.created"], hook
hooks = does("webhook_endpoints.list", lambda: stripe.WebhookEndpoint.list())
assert [one.id for one in hooks.data] == [hook.id], hooks
assert does("webhook_endpoints.delete", lambda: stripe.WebhookEndpoint.delete(hook.id)).deleted is True
assert stripe.WebhookEndpoint.list().data == []
fails(stripe.InvalidRequestError, 404, lambda: stripe.WebhookEndpoint.delete(hook.id))

does("events.list", lambda: stripe.Event.list(limit=3))
assert does("account.get", lambda: stripe.Account.retrieve()).id.startswith("acct_")

# the classes of its errors
fails(stripe.InvalidRequestError, 404, lambda: stripe.Customer.retrieve("cus_nobody"))
fails(stripe.InvalidRequestError, 404, lambda: stripe.Refund.retrieve("re_nobody"))
fails(stripe.InvalidRequestError, 400, lambda: stripe.PaymentIntent.create(amount=-1, currency="eur"))
next_goes("stripe.customers.create", "rate_limited")
fails(stripe.RateLimitError, 429, lambda: stripe.Customer.create(email="c@example.com"))
next_goes("stripe.customers.create", "auth")
fails(stripe.AuthenticationError, 401, lambda: stripe.Customer.create(email="c@example.com"))
before = len(stripe.Customer.list().data)
next_goes("stripe.customers.create", "apply_then_timeout")
try:
    stripe.Customer.create(email="lost@example.com")
    raise AssertionError("an answer that was lost came")
except stripe.APIConnectionError:
    pass
assert len(stripe.Customer.list().data) == before + 1, "it was made all the same"

print(json.dumps({"tried": sorted(tried)}))
