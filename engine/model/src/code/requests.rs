//! `PL4…`: requests to an engine that are no votes.

use super::{Code, codes};

pub(super) const CODES: &[Code] = codes! {
    "PL4001" 404 "unknown run"
        at: "commands and requests about a run"
        what: "No run has this id in this project. Runs are kept for ever, so it was never here: another project, another engine, or a letter that is wrong."
        help: "list runs with `placet runs list`"
        next: "Ids begin with run_ and are taken over whole. Check that --server or --data points at the project in which it was started.";
    "PL4002" 404 "unknown workflow"
        at: "`placet start`, and workflows that run others"
        what: "No workflow of this name and version is in force. A file in `workflows/` is only a proposal until it is deployed."
        help: "deploy it first"
        next: "`placet deploy` puts it into force; `placet dev` does so by itself when the file checks. Name it as namespace/name, with @version for one that is not the newest.";
    "PL4003" 400 "the request is malformed"
        at: "every door"
        what: "A member, parameter or argument is unknown, missing or not of the form it must have. Unknown ones are refused, so that a typo is never taken for consent."
        help: "see the detail"
        next: "The detail names the member and what it may be; /api/v1/openapi.json has every form. A cursor is only good for the list that gave it.";
    "PL4004" 401 "not authenticated"
        at: "HTTP"
        what: "The request has no token, or one that is wrong, revoked or over."
        help: "log in with the link that `placet dev` printed"
        next: "With `serve`, send `Authorization: Bearer TOKEN`; an operator makes one with `placet tokens new USER`. The command line reads the token of a running `dev` from a file of its own: give it the same user and machine.";
    "PL4005" 403 "not permitted"
        at: "every door"
        what: "You are known, and your roles do not cover this. The detail names the role that it takes."
        help: "ask for the role that the message names"
        next: "Roles stand in policy.yaml and are given by an admin with `placet policy apply`. An agent can be given none that deploys, decides or governs.";
    "PL4006" 503 "the engine is stopping"
        at: "every door"
        what: "The engine takes nothing more, finishes what is under way, and ends."
        help: "try again when it is back"
        next: "Send it again with the same request id or idempotency key: if it was taken after all, you get its first answer.";
    "PL4007" 429 "too much at once"
        at: "event streams, rebuilds, tokens"
        what: "So many of these are open or under way that another one would take room from the rest. Everything in Placet has such a bound."
        help: "try again later"
        next: "Close streams that nobody reads, and wait as Retry-After says. If it happens in normal use, raise the bound that the detail names in placet.toml.";
    "PL4008" 409 "the run is over"
        at: "`placet runs cancel|signal`, withdrawing"
        what: "The run has completed, faulted or was cancelled, and nothing can be changed about it."
        help: "start a new one"
        next: "`placet runs show RUN` tells how it ended. `placet runs retry RUN` starts one with the same input.";
    "PL4009" 404 "unknown integration"
        at: "commands, filters and actions that name an integration"
        what: "No integration has this name or id, or the provider has no default one."
        help: "list them with `placet integrations list`"
        next: "Connect one with `placet integrations connect PROVIDER --name NAME`, or correct the name. Disconnected ones keep their history but cannot be used.";
    "PL4010" 422 "the input does not match the workflow's schema"
        at: "`placet start`, `placet run`, schedules"
        what: "The workflow says with `input.schema` what it takes, and this input is something else. No run was started."
        help: "see the detail"
        next: "The detail names the member by its path and what is expected of it.";
    "PL4011" 409 "the mode is not available here"
        at: "starting runs; connecting accounts"
        what: "This engine cannot work in the mode that was asked for: a sandbox engine sends nothing and keeps no credentials."
        help: "start the engine with --mode live"
        next: "With `serve` the mode stands in placet.toml. A live engine also runs in the sandbox, so one engine serves both.";
    "PL4012" 404 "not found"
        at: "HTTP, and things with a name or an id"
        what: "There is nothing of that name, or nothing at that path."
        help: "see the API's description"
        next: "/api/v1/openapi.json lists every path; the detail says what was looked for.";
    "PL4014" 413 "the request is too large"
        at: "HTTP bodies, run inputs, outputs, events"
        what: "A body or value is larger than what the engine takes in one piece. The detail says which bound it is."
        help: "send less than 4 MiB"
        next: "Put large content somewhere else and send a link or digest. Bounds of values stand under limits in placet.toml.";
    "PL4015" 403 "a request from another place"
        at: "HTTP, from browsers"
        what: "The Host or Origin of the request is not one of the engine's names. A page somewhere else may be trying to act with your login, so it is refused."
        help: "use the address that the engine printed"
        next: "Behind a proxy, list the names under which the engine is reached as serve.hosts in placet.toml, and let the proxy pass Host on.";
    "PL4016" 405 "the method is not allowed here"
        at: "HTTP"
        what: "The path exists, but not with this method. Reading never decides anything, so a GET can change nothing here."
        help: "see the API's description"
        next: "The Allow header of the answer lists what the path takes.";
    "PL4017" 415 "the content type is not supported"
        at: "HTTP"
        what: "The body was announced as something that this path does not read."
        help: "send application/json"
        next: "Set Content-Type. The media types of each path stand in /api/v1/openapi.json.";
    "PL4018" 422 "no event"
        at: "`placet runs signal`, POST /api/v1/events"
        what: "What was sent is not a CloudEvents object: `type` is missing, or a context attribute has another form."
        help: "send a CloudEvents object with at least a `type`"
        next: "`id` and `source` are filled in where they are left out; give both to have a repeated event known as the same one.";
    "PL4019" 409 "the run cannot go on under the other version"
        at: "`placet runs migrate`"
        what: "The run stands at a task that the other version does not have in the same place and form, or something of it is under way."
        help: "see the detail; the run stays as it is"
        next: "Let the run come to a task that both have, or leave it on its version: a run keeps its plan for as long as it takes.";
    "PL4030" 410 "the content was erased"
        at: "cards, runs and payloads"
        what: "Its data key was destroyed on request, or when its time to be kept was over. The events are still there, and verify; what they spoke of is gone."
        help: "its events stay; nothing brings the content back"
        next: "`placet audit log` shows who erased it and when. A backup from before holds it only together with keys from before.";
    "PL4031" 409 "it cannot be erased yet"
        at: "`placet erase`"
        what: "Something of it is under way: a send without a result, or one in doubt. Erased now, nobody could ever say what became of it."
        help: "see the detail: settle what is under way first, then ask again"
        next: "Resolve attempts in doubt with `placet inbox resolve`, or wait for the answer. A run that only waits is withdrawn by the erasure itself.";
    "PL4032" 503 "compaction did not get its turn"
        at: "`placet compact`"
        what: "Compaction needs the file for itself, and readers held it for too long."
        help: "ask again; nothing was changed"
        next: "Long exports and replays hold it. Ask again when they are through, or compact while no engine runs.";
    "PL4040" 429 "the agent has asked for too much"
        at: "actions of agents, over HTTP and NATS"
        what: "The agent has as many open requests as it may have, or has asked too often in the last minute. The bound keeps an inbox from being flooded until people approve without looking."
        help: "wait until something of it is decided, or raise the limits in placet.toml"
        next: "The detail names the bound (limits.agent_open_max, limits.agent_minute_max). An agent can take back what it no longer needs with withdraw. Nothing was recorded of this request.";
    "PL4041" 422 "the idempotency key was used for another action"
        at: "actions of agents, over HTTP and NATS"
        what: "The same agent used this key before, for something else. Under one key there is one action, for ever."
        help: "make a new key for each action"
        next: "Repeat a request with its key only word for word: then the answer is that of the first one.";
    "PL4042" 403 "the agent has no grant for this"
        at: "actions of agents, over HTTP and NATS"
        what: "The operation or the integration is not among those that this agent may ask for, or the policy blocks the operation for everybody."
        help: "the operator lists it under agents in placet.toml"
        next: "A grant only lets the agent ask: what it asks for still waits for a person.";
    "PL4050" 409 "there is no new vault key to rotate to"
        at: "`placet vault rotate`"
        what: "The key comes from the environment or from a file of yours, and what is given there is the key that seals already. A rotation leads to another one, which only you can give."
        help: "give a new key as PLACET_VAULT_KEY or PLACET_VAULT_KEY_FILE, the one of now with _OLD, and rotate again"
        next: "Make a key with `openssl rand -hex 32`. Start the engine with both, run `placet vault rotate`, and take the old one away when `placet vault status` shows no record under it.";
    "PL4051" 502 "the vault key command did not do its work"
        at: "starting an engine, and `placet vault`"
        what: "The key is kept by a command of yours (PLACET_VAULT_KEY_COMMAND), and it did not start, did not end in time or with status 0, or did not answer with what it is for. What it said is not shown, because a key may be in it."
        help: "run the command by hand with `wrap` or `unwrap` to see what it says"
        next: "docs/keys.md tells what the command reads and answers. Nothing was changed, and nothing that was sealed is lost as long as your KMS can unwrap the `.wrapped` file in the key directory.";
    "PL4052" 403 "the login names nobody here"
        at: "logging in at the login server"
        what: "The login server knows the person, and this project does not: the policy has no user of that name, their address is of no domain or they are in no group that may come in, or the claim that names them is missing."
        help: "see the detail; an admin adds the person to the policy"
        next: "Names of principals are compared whole. Where the login server's names are others, list them: `login.oidc.people = [\"ana.lee@example.com=ana\"]`. Programs have tokens, and do not log in.";
    "PL4053" 422 "the private key is not in PEM"
        at: "`placet integrations connect`, `rotate`, of a credential that signs for its tokens"
        what: "What was given as the private key is no PEM of one, or one that is sealed with a passphrase. Nothing was stored, and no word of it is shown."
        help: "give the file as the provider handed it out, as FIELD=@FILE"
        next: "The file begins with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN PRIVATE KEY-----. A sealed one is opened with `openssl rsa -in FILE -out OPEN`; remove OPEN when it is in the vault, where it is sealed again.";
    "PL4054" 422 "the private key is no RSA key"
        at: "`placet integrations connect`, `rotate`, of a credential that signs for its tokens"
        what: "The provider takes what is signed by RS256, which an RSA key of 2048 to 4096 bits does. What was given is a key of another kind, or is damaged. Nothing was stored."
        help: "give the key that the provider made for the app"
        next: "An SSH key or one for certificates does not do. At GitHub: Settings, Developer settings, GitHub Apps, the App, *Generate a private key*.";
    "PL4055" 422 "the private key is too short"
        at: "`placet integrations connect`, `rotate`, of a credential that signs for its tokens"
        what: "An RSA key below 2048 bits can be broken, so it is not taken, whatever the provider would do with it. Nothing was stored."
        help: "have the provider make a new key"
        next: "Then delete the short one there: whoever breaks it acts as the app. Keys that GitHub makes have 2048 bits.";
    "PL4056" 422 "the provider gives no token for the key"
        at: "`placet integrations connect`, `rotate`, of a credential that signs for its tokens"
        what: "What was signed with the key was refused. By a 401 the provider says that it does not know the signature or the times in it: the id of the app is another one, the key is not (any more) a key of it, or this machine's clock is off by minutes. Nothing was stored; what was in force stays."
        help: "compare the id of the app with the key, and this machine's clock with the time"
        next: "The detail has the provider's own words. A 403 means that the app was suspended there. The key's fingerprint, as the provider lists it: `openssl rsa -in FILE -pubout -outform DER | openssl sha256 -binary | openssl base64`.";
    "PL4060" 409 "the integration cannot be tested"
        at: "`placet integrations test`"
        what: "There is nobody to ask, or nothing to ask with: an engine in sandbox mode, a provider that has no call which tells whose a credential is, or an integration without a credential. Nothing was recorded."
        help: "see the detail"
        next: "Test a connection on an engine that was started with --mode live. Where a provider has no such call, the connection acts under the lineage of its credential, and its first send shows whether that is good.";
    "PL4061" 502 "the provider was not heard"
        at: "`placet integrations test`, `rotate`"
        what: "The provider was not reached, or had no time for the question. That says nothing about the credential, so nothing about the integration was changed."
        help: "try again later"
        next: "The detail has what came instead. If it goes on, look at the way out: DNS, TLS, egress.allow, and the provider's own status page.";
    "PL4062" 409 "the credential may be another account's"
        at: "`placet integrations rotate`"
        what: "The new credential acts as another account than the one in force, or the provider does not say whose it is. It was forgotten again, and the one in force stays. Approvals bind whose account sends, so this is never taken for granted."
        help: "use a credential of the same account, or say what is meant"
        next: "If another account is meant, add --new-identity: approvals that are bound to the one before are void at their claim. Where the provider does not tell, --same-account is your word that it is the same one.";
    "PL4063" 403 "the integration may not be used here"
        at: "deploying, drafts, and claims"
        what: "An operator has limited the integration to a workstream, a space, what certain eyes can see, or certain agents, and this workflow or this requester is outside of that."
        help: "use an integration that may be used here, or have an operator widen its scope"
        next: "`placet integrations show NAME` tells where it may be used, `placet integrations scope NAME` sets it. A workflow says where it stands with document.metadata.place.";
    "PL4064" 409 "the connection needs a credential"
        at: "`placet integrations connect`, on an engine with --mode live"
        what: "The provider's manifest asks for a credential and none was given, so that nothing could ever be sent or heard through the connection. Nothing was recorded."
        help: "give each required field as --credential FIELD=env:VARIABLE or FIELD=@FILE, or add --oauth where the provider has it"
        next: "The detail names the fields; `placet adapters show PROVIDER` has their schema. To try workflows without an account, start the engine in sandbox mode: it connects every provider by itself.";
    "PL4065" 404 "unknown provider"
        at: "`placet integrations connect`"
        what: "No manifest has this name: neither one that ships nor one of the project's own that is deployed."
        help: "list them with `placet adapters list`"
        next: "The detail names the nearest, where one is near. A manifest of your own stands in adapters/ and holds from the engine's next start after it was deployed.";
    "PL4066" 409 "a credential may not come this way"
        at: "`placet.v1.integrations.<user>.connect|authorize|rotate`"
        what: "The engine reaches its NATS server over the network without TLS, so that others could read what a message holds. Nothing was done, and the credential was not kept; take it for known if the message was on that network."
        help: "give the credential over HTTP or the command line, or use a tls:// address for NATS"
        next: "The address stands in nats.url of placet.toml. A server on this machine (127.0.0.1) needs no TLS. Words without a credential work either way.";
    "PL4067" 409 "the request was taken before"
        at: "signed requests over NATS"
        what: "The nonce in the signed document was used, for this request or another one. A signed request is taken once, for ever, so that whoever has seen it cannot have it done again."
        help: "look at what has become of it; sign another one with a nonce of its own to ask again"
        next: "`placet audit log --type RequestSigned` has every request that was taken. Repeat one under its own Placet-Request-Id to get its first answer, as long as the engine has not been started anew.";
    "PL4068" 403 "the form is of another session"
        at: "forms of the console"
        what: "A form of the console is good for the session, and for the user, to whom it was shown. This one was shown to another: the session has ended since, the browser acts as somebody else by now, or the form comes from another place. Nothing was done."
        help: "load the page again and look at it before you send it"
        next: "A restart of the engine ends every session. In `placet dev` choosing whom to act as makes the forms of other tabs stale.";
    "PL4069" 404 "the installation is unknown"
        at: "`placet integrations connect`, `rotate`, of a GitHub App"
        what: "The provider knows the app and the key, and no installation of it under this id: the id is mistyped or another app's, or the app was uninstalled. Nothing was stored; what was in force stays."
        help: "give the installation's id: the number at the end of the address of its settings"
        next: "Settings of the organization, *GitHub Apps*, *Configure*: https://github.com/organizations/ORG/settings/installations/ID. An app that is installed again has a new id, which is another identity: `rotate --new-identity`, and what was approved for the one before is void.";
    "PL4070" 409 "the channel leads nowhere"
        at: "`placet deploy`, agents' actions"
        what: "A step or an action tells people something by a channel (notify.send), and no one connection of this project carries it: none does, several do, the one that is named carries something else, or it does not know whom to tell."
        help: "connect, name or complete the connection that the detail names"
        next: "Name a connection in the channel, as in telegram:NAME, or set notify_to in its settings. `placet integrations list` shows what is there.";
    "PL4071" 409 "the provider does not post here"
        at: "`placet integrations hooks`"
        what: "The provider has no call by which it is told where to post, or it refused the call. Nothing stands there."
        help: "see the detail"
        next: "Where there is no such call, enter the address of the hook in the provider's own console. Where it was refused, the detail has the provider's word: most often the credential lacks a permission.";
    "PL4072" 502 "what stands at the provider is not clear"
        at: "`placet integrations hooks`, disconnecting"
        what: "The provider was asked to post here, or to post no more, and its answer was not heard. What may stand there is on record; the engine looks for it, by the address that is this integration's alone, and takes it away."
        help: "ask again when the provider is reached"
        next: "`placet integrations hooks NAME` shows how it stands. After a disconnect the credential is gone: look in the provider's console for the address that the detail names.";
    "PL4073" 409 "the provider is not read"
        at: "`placet integrations sync`"
        what: "This provider posts what it has to say, or has no inbound part at all; there is nothing that could be read from a position on."
        help: "see `placet adapters show PROVIDER`"
        next: "Reading is for providers whose notices are only hints, such as Gmail. For the others: `placet integrations hooks NAME on`.";
    "PL4074" 429 "too many requests"
        at: "HTTP of `placet serve`"
        what: "This caller has asked more often than `limits.caller_second_max` allows, five seconds' worth at once included. Nothing was done; other callers are not touched."
        help: "wait as long as Retry-After says, and ask again"
        next: "Follow /api/v1/events instead of asking again and again, or hold the answer back with `wait`. An operator raises the bound in placet.toml.";
    "PL4075" 412 "it has changed meanwhile"
        at: "HTTP, changes with `If-Match`"
        what: "The request was to change what its `If-Match` names, and something else is in force by now. Nothing was changed."
        help: "read it again, and decide anew"
        next: "The ETag of the read is what If-Match takes. Without If-Match the change is made whatever is in force.";
};
