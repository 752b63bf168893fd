//! Every `PL####` code that people and programs can meet, in one table. Numbers are stable once
//! released; the reference page is made from this list.

/// A code with its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `PL####`.
    pub name: &'static str,
    /// What it means, one line.
    pub title: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

macro_rules! codes {
    ($($code:literal $title:literal $help:literal;)+) => {
        /// Every code, in order.
        pub const CODES: &[Code] = &[$(Code { name: $code, title: $title, help: $help }),+];
    };
}

codes! {
    "PL1001" "the data directory is in use" "stop the other engine, or talk to it with --server";
    "PL1002" "the data directory cannot be read" "check that the path is a Placet project and that you may read it";
    "PL1003" "a stored record is damaged" "restore from a backup; nothing was changed";
    "PL1004" "the key file is missing or wrong" "put the key file back where the message says, or set PLACET_KEY_DIR";
    "PL1005" "an event has an unknown type or version" "open the project with the newer Placet that wrote it";
    "PL1006" "a commit failed and its outcome is unknown" "restart the engine: it reads back what was recorded";
    "PL1007" "placet.toml cannot be used" "see the position in the message";
    "PL1008" "the disk is full or cannot be written" "make room, or make it writable, then start the engine again; nothing is sent meanwhile";
    "PL1009" "the backup or the restore is not whole" "see the message; nothing of the project was changed";
    "PL1010" "the data are a copy, or older than the project was" "use the current data, or begin a new epoch with `placet restore --copy`";
    "PL1015" "a derived table is damaged" "run `placet projections rebuild`: the log has everything that was in it";
    "PL1201" "the data are older than what was signed" "put the newest data back, or restore a backup with --accept-rollback";
    "PL1202" "the evidence cannot be read" "see the message for what is missing";
    "PL1203" "the evidence does not hold" "see the position in the message; ask for another copy";
    "PL2001" "YAML cannot be read" "put expressions in single quotes";
    "PL2002" "YAML feature that is not allowed" "no duplicate or merge keys, tags, or several documents; see the limits";
    "PL2003" "does not match the language" "see the message for the nearest legal form";
    "PL2004" "unsupported dsl version" "use 1.0.0 to 1.0.3";
    "PL2101" "outside the profile" "this construct is refused, never ignored";
    "PL2102" "unknown function or operation" "see `placet adapters list`";
    "PL2103" "unknown then target" "name a task of the same list";
    "PL2104" "duplicate task name" "rename one of the tasks";
    "PL2105" "unknown name in use" "declare it under use, or correct the name";
    "PL2106" "unsupported expression language or mode" "only jq in strict mode";
    "PL2107" "metadata.approval cannot be used" "see the message; it may only tighten";
    "PL2108" "with does not match the operation's input" "see the message for the member";
    "PL2109" "fields that contradict each other" "see the message";
    "PL2110" "unknown integration" "name an integration of the project, or leave it out for the default one";
    "PL2201" "expression cannot be used" "see the message; fenced functions are refused";
    "PL2202" "${ inside a longer string" "write '${ \"Hello \\(.x)\" }'";
    "PL2203" "variable is not defined here" "see which variables exist at this place";
    "PL2204" "expression is not in single quotes" "put it in single quotes";
    "PL2205" "string that looks like an expression" "wrap it in '${ }' if it is one";
    "PL2206" "template of another tool" "use '${ }'";
    "PL2301" "not an ISO 8601 duration" "write PT30M, P2D or { minutes: 30 }";
    "PL2302" "a timeout given as a name" "write timeout: { after: P2D }";
    "PL2303" "export drops the context" "start from $context + { … }";
    "PL2304" "retry without a limit" "add limit.attempt.count";
    "PL2305" "status 408 catches expired approvals too" "filter by type";
    "PL2306" "export inside fork branches" "results are merged at the join";
    "PL2307" "read is unset" "data is the default";
    "PL2308" "literal secret or plain http" "use use.secrets, and https";
    "PL2309" "unused or unreachable" "remove it";
    "PL2310" "a boolean key that was on" "quote the key";
    "PL2401" "policy.yaml cannot be used" "see the position in the message";
    "PL3001" "unknown decision" "list yours with `placet inbox list`";
    "PL3002" "the digest is not that of the draft" "fetch the card again and look at what changed";
    "PL3003" "the requester cannot approve" "somebody else must vote";
    "PL3004" "unknown principal" "an admin must add the principal to the policy";
    "PL3005" "already voted" "one vote per person and draft revision";
    "PL3006" "the request has expired" "the workflow must ask again";
    "PL3007" "the request is closed" "see its state in the inbox";
    "PL3008" "not entitled to vote" "the card names who may";
    "PL3009" "a reason is required" "add --reason";
    "PL3010" "the vote's time is outside the window" "check your clock; votes are valid for 15 minutes";
    "PL3011" "the nonce was used before" "make a new nonce for each vote";
    "PL3012" "an agent cannot vote" "a person must vote";
    "PL3013" "the verdict does not fit the state" "see the state in the inbox";
    "PL3014" "the run was cancelled" "nothing can be sent for it any more";
    "PL3016" "the attempt is not in doubt" "see its state in the inbox";
    "PL3017" "an unsigned vote is not accepted here" "make a key with `placet keys new`, have an admin register it, and vote again";
    "PL3018" "the request id was used for something else" "make a new request id for each act";
    "PL3030" "it is not sure enough who votes" "sign in, or sign the vote, as the message asks";
    "PL3031" "not one of those who may break the glass" "ask one of those whom the policy names under breakGlass";
    "PL3032" "the standing approval does not settle it" "the people it lacks give theirs with `placet policy endorse`";
    "PL3033" "the policy refuses it" "an admin must change the rule that the message names";
    "PL3034" "the act does not fit the policy in force" "see the detail, and `placet policy show`";
    "PL3041" "the signed document has another form" "see the member that is named; the card has the exact document";
    "PL3042" "the signature does not verify" "sign the document exactly as it is sent, with the key that it names";
    "PL3043" "the document is for another log" "take the origin from the card";
    "PL3044" "the key is not registered" "an admin registers it with `placet keys register USER KEY`";
    "PL3045" "the key is revoked" "sign with a key that is in force, or make one with `placet keys new`";
    "PL3046" "the key is somebody else's" "sign with your own key, as yourself";
    "PL3047" "the document is outside its time" "check your clock and sign anew; a document is good for 15 minutes at most";
    "PL3048" "what goes with the document is not what was signed" "send the text and the salt, or the `with`, whose digest was signed";
    "PL3049" "the key was registered before" "make a new key with `placet keys new`";
    "PL3050" "an editor cannot approve their own words" "somebody else must vote on what was edited";
    "PL3051" "the edit cannot be taken" "see the detail; the draft stays as it is";
    "PL3052" "it cannot be reassigned so" "name users or groups who may decide it anyway, and enough of them";
    "PL3053" "these cannot be decided in one act" "see the detail of each; decide them one by one";
    "PL4001" "unknown run" "list runs with `placet runs list`";
    "PL4002" "unknown workflow" "deploy it first";
    "PL4003" "the request is malformed" "see the detail";
    "PL4004" "not authenticated" "log in with the link that `placet dev` printed";
    "PL4005" "not permitted" "ask for the role that the message names";
    "PL4006" "the engine is stopping" "try again when it is back";
    "PL4007" "too much at once" "try again later";
    "PL4008" "the run is over" "start a new one";
    "PL4009" "unknown integration" "list them with `placet integrations list`";
    "PL4010" "the input does not match the workflow's schema" "see the detail";
    "PL4011" "the mode is not available here" "start the engine with --mode live";
    "PL4012" "not found" "see the API's description";
    "PL4013" "accepted, not yet visible" "ask again";
    "PL4014" "the request is too large" "send less than 4 MiB";
    "PL4015" "a request from another place" "use the address that the engine printed";
    "PL4016" "the method is not allowed here" "see the API's description";
    "PL4017" "the content type is not supported" "send application/json";
    "PL4018" "no event" "send a CloudEvents object with at least a `type`";
    "PL4019" "the run cannot go on under the other version" "see the detail; the run stays as it is";
    "PL4030" "the content was erased" "its events stay; nothing brings the content back";
    "PL4031" "it cannot be erased yet" "see the detail: settle what is under way first, then ask again";
    "PL4032" "compaction did not get its turn" "ask again; nothing was changed";
    "PL4040" "the agent has asked for too much" "wait until something of it is decided, or raise the limits in placet.toml";
    "PL4041" "the idempotency key was used for another action" "make a new key for each action";
    "PL4042" "the agent has no grant for this" "the operator lists it under agents in placet.toml";
    "PL5001" "the NATS server is too old" "use 2.12 or newer";
    "PL5002" "the NATS server has no JetStream" "start it with -js, or add jetstream {} to its configuration";
    "PL5003" "the stream is not configured as asked" "set the field as asked with `nats stream edit`; where the server refuses that, remove the stream: the log fills a new one";
    "PL5004" "the message is malformed" "see the detail";
    "PL5005" "the sender is not who the subject says" "publish on your own subject, with your own key";
    "PL5006" "the NATS servers do not sync what they acknowledge" "set jetstream { sync_interval: always } on each, or ask for one copy (nats.replicas)";
    "PL6001" "the manifest cannot be used" "see the position in the message";
    "PL6002" "the request cannot be rendered" "see the detail";
    "PL6003" "the target may not be reached" "see the egress rules; --egress-allow opens one target";
    "PL6004" "a credential is missing" "connect the integration";
    "PL6005" "the account behind the credential is unknown" "check the credential, then connect again";
    "PL9001" "internal error" "report it with the log";
}

/// The code with this name.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|entry| entry.name == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_stand_once() {
        for pair in CODES.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn every_code_says_what_to_do() {
        for code in CODES {
            assert!(!code.title.is_empty() && !code.help.is_empty(), "{}", code.name);
        }
    }
}
