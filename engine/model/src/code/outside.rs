//! `PL5…`: NATS; `PL6…`: providers and their manifests; `PL9…`: our own faults.

use super::{Code, codes};

pub(super) const CODES: &[Code] = codes! {
    "PL5001" 503 "the NATS server is too old"
        at: "`placet dev --nats`, `placet serve`"
        what: "Events are put into the stream as atomic batches with expectations, which older servers take without a word and do not honour. Such a server could lose or repeat events, so it is refused."
        help: "use 2.12 or newer"
        next: "Upgrade the server, or every server of the cluster. The engine tries again each second and goes on by itself; meanwhile events wait in the log and none is lost.";
    "PL5002" 503 "the NATS server has no JetStream"
        at: "`placet dev --nats`, `placet serve`"
        what: "The stream of events needs JetStream, and the server, or the account that the engine is in, has none."
        help: "start it with -js, or add jetstream {} to its configuration"
        next: "In an account of its own the engine needs `jetstream: enabled` there too; `placet nats config` prints a configuration that has it.";
    "PL5003" 503 "the stream is not configured as asked"
        at: "`placet dev --nats`, `placet serve`"
        what: "The stream of the project's events exists with settings under which events could be removed, repeated or taken for another project's, or its messages are not of this log. The message names each field as it is and as it should be."
        help: "set the field as asked with `nats stream edit`; where the server refuses that, remove the stream: the log fills a new one"
        next: "If the messages are those of another project, give one of the two another name in placet.toml. If the log is older than the stream, restore the newest data instead of removing the stream.";
    "PL5004" 400 "the message is malformed"
        at: "NATS: inbox, actions"
        what: "The body is no JSON object, the subject names no principal, or a header such as Placet-Request-Id is out of its bounds."
        help: "see the detail"
        next: "Send one JSON object (an empty body counts as an empty one) to placet.v1.inbox.USER.VERB. A request id is 1 to 128 visible ASCII characters.";
    "PL5005" 403 "the sender is not who the subject says"
        at: "NATS: inbox, actions"
        what: "The server vouches for who sent the message, and that key is registered for somebody else, is revoked, or the header that says so was made up by the sender."
        help: "publish on your own subject, with your own key"
        next: "Use the seed whose public key an admin registered for you (`placet keys list`), and the subject with your own name. Only a server may set Nats-Request-Info: clients belong into accounts of their own, as `placet nats config` prints them.";
    "PL5006" 503 "the NATS servers do not sync what they acknowledge"
        at: "`placet serve` with `nats.replicas` above 1; `nats` in `GET /api/v1/status`"
        what: "Several copies of the stream were asked for, so the servers are to be relied on, but they write to disk at intervals: a power cut loses what they have acknowledged. The log of this engine is not concerned."
        help: "set jetstream { sync_interval: always } on each, or ask for one copy (nats.replicas)"
        next: "`placet nats config` prints a configuration that has it. With one copy the engine goes on and the status says that the server syncs at intervals.";
    "PL5030" 422 "the integration cannot be connected by OAuth like this"
        at: "`placet integrations connect … --oauth`, `POST /api/v1/integrations/{provider}/authorize`"
        what: "The provider's manifest has no `auth.oauth`, or its settings give no address of the authorization server, or the id or secret of your own app at the provider is missing."
        help: "see the detail; your app's id and secret are given with --client-id and --client-secret"
        next: "Register an app at the provider, with the redirect address that the command prints, and give its id and secret: they are sealed with the credential. `adapters/PROVIDERS.md` says which providers can be connected so; the others take a credential.";
    "PL5031" 410 "the authorization is over"
        at: "`placet integrations connect … --oauth`; the page on which a provider's answer arrives"
        what: "A link to a provider is good for ten minutes, for the browser that opens it first, for one answer. This one was used, is too old, was replaced by a newer one, or came back in another browser or from another provider."
        help: "ask for a new link"
        next: "Run the command again and open the link that it prints in the browser in which you are logged in at the provider. If you did not ask for a link yourself and were sent one, do not open it.";
    "PL5032" 502 "the provider gave no grant"
        at: "`placet integrations connect … --oauth`; the page on which a provider's answer arrives"
        what: "The provider refused, the person declined, its answer was of another server than expected, or its token endpoint gave no token that can be used. Nothing is connected, and what was connected before stands as it was."
        help: "see the detail, which has the provider's own words"
        next: "`access_denied` means that the person declined. `redirect_uri` in the words: register the redirect address that the command printed, letter by letter. `invalid_client`: the id or secret of your app is wrong. Then ask for a new link.";
    "PL5040" 422 "the passkey cannot be enrolled"
        at: "HTTP, enrolling a passkey"
        what: "What the authenticator has made is not for the challenge that was given, not for this host, did not verify who was there, or is of another kind than ES256 and Ed25519; or the person has as many passkeys as they may have."
        help: "see the detail"
        next: "A challenge is good for five minutes and once. Passkeys are made for a name, not for a number: open the engine as http://localhost:PORT, or under the name that stands in serve.hosts.";
    "PL5041" 403 "the passkey waits for an admin"
        at: "HTTP, signing with a passkey"
        what: "The passkey was enrolled and no admin has said yet that it is this person's; whoever steals a session could enrol one too. Or the person has none at all."
        help: "an admin confirms it, having asked the person"
        next: "GET /api/v1/passkeys lists what waits; POST /api/v1/passkeys/ID/confirm lets it count. What was signed with it before does not count afterwards: sign again.";
    "PL5042" 403 "the authenticator has not counted on"
        at: "HTTP and NATS, signing with a passkey"
        what: "An authenticator that counts its uses has said a number that is not above the last one that it said here. So there is a second authenticator with the same key, or two answers have come in out of order. The vote does not count, and the passkey is revoked: the log has it as the engine's act."
        help: "the person enrols a new passkey, and an admin confirms it"
        next: "Ask the person whether their authenticator was out of their hands, or was copied. What the old passkey approved and was not sent yet is asked for again.";
    "PL5043" 502 "the login server cannot be asked"
        at: "logging in at the login server"
        what: "The login server of `login.oidc.issuer` does not answer, answers with a failure, or publishes something about itself that cannot be used. Nobody is logged in; who is logged in already stays so."
        help: "see the detail, then `login.oidc` in placet.toml"
        next: "The issuer is compared letter by letter with what its own document says, a slash at the end included. An address of this machine or a private one is dialled only where `egress.allow` lists it. Tokens go on working meanwhile.";
    "PL5044" 400 "the login is not taken"
        at: "logging in at the login server"
        what: "What the browser came back with belongs to no login that it has begun here within ten minutes, was taken before, or is the login server's refusal."
        help: "log in again, in one browser"
        next: "The detail has the login server's own words. `invalid_client`: the id or the secret is wrong. `redirect_uri`: register `https://HOST/login/callback` there, letter by letter. A restart of the engine ends logins under way.";
    "PL5045" 401 "the identity token does not hold"
        at: "logging in at the login server"
        what: "The login server gave a token whose signature does not verify under a key that it publishes, or that is for another client, another login or another time. Taken are RS256, ES256 and EdDSA."
        help: "see the detail"
        next: "A clock that is more than a minute off is the usual cause: compare this machine's with the login server's. Else its `client_id` or `issuer` is not the configured one. An algorithm that is not taken is set for this client at the login server.";
    "PL6001" 422 "the manifest cannot be used"
        at: "`placet check`, `placet deploy`, `placet dev`"
        what: "A provider's manifest in `adapters/` has a member that is unknown or contradicts another one, or lacks one that its operations need."
        help: "see the position in the message"
        next: "Mend the line that is named; `placet adapters show PROVIDER` prints a shipped manifest to compare with. Manifests bind by `placet deploy`, so the one that was in force before stays.";
    "PL6002" 422 "the request cannot be rendered"
        at: "connecting and testing an integration"
        what: "The manifest's template does not give a request for these settings or this input: a member is missing, or has a value that cannot stand in a URL or header."
        help: "see the detail"
        next: "Correct the settings that the detail names. If they are right, the manifest is wrong: mend it and deploy it again.";
    "PL6005" 422 "the account behind the credential is unknown"
        at: "`placet integrations connect`, `test`, `rotate`"
        what: "An approval binds whose account sends, so the provider is asked who the credential is. It did not answer, or the answer names nobody."
        help: "check the credential, then connect again"
        next: "Most often the credential is mistyped, revoked, or lacks the scope that its own identity call needs; the detail has what the provider said. Nothing was stored.";
    "PL9001" 500 "internal error"
        at: "anywhere"
        what: "Something that should not be possible has happened inside Placet. Outside it has no more words than this, as the detail could hold what is not yours to see."
        help: "report it with the log"
        next: "The log of the engine, at the same time, says what it was. What was acknowledged before is on disk. Sending the same request again with the same request id is safe.";
};
