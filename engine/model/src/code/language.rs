//! `PL2…`: findings in workflows and policies.

use super::{Code, codes};

pub(super) const CODES: &[Code] = codes! {
    "PL2001" 422 "YAML cannot be read"
        at: "`placet check`, `run`, `deploy`"
        what: "The text is no YAML at the place that is marked. Most often an expression holds `: ` or `#` or begins with a brace, and YAML reads it as its own."
        help: "put expressions in single quotes"
        next: "Write '${ .a }' with single quotes around all of it. Otherwise look at the indentation of the marked line and the one above.";
    "PL2002" 422 "YAML feature that is not allowed"
        at: "`placet check`, `run`, `deploy`"
        what: "Duplicate keys, merge keys, tags, several documents in one file, or more depth or aliases than the bounds let pass. They make a text mean something else than it seems to, or far more than its size."
        help: "no duplicate or merge keys, tags, or several documents; see the limits"
        next: "Write out what the anchor or merge stands for, and put each workflow into a file of its own.";
    "PL2003" 422 "does not match the language"
        at: "`placet check`, `run`, `deploy`"
        what: "A key is unknown here, or a value has another type or form than the language gives it."
        help: "see the message for the nearest legal form"
        next: "An editor with `schemas/profile/workflow.json` completes keys and marks this while you type.";
    "PL2004" 422 "unsupported dsl version"
        at: "`placet check`, `run`, `deploy`"
        what: "`document.dsl` names a version of the workflow language that this Placet does not speak."
        help: "use 1.0.0 to 1.0.3"
        next: "Write dsl: '1.0.3', in quotes, and mend what is then marked.";
    "PL2101" 422 "outside the profile"
        at: "`placet check`, `run`, `deploy`"
        what: "The construct belongs to the language, but Placet does not run it. It is refused when it is checked, so that no run does something else than it says."
        help: "this construct is refused, never ignored"
        next: "The message says what to use instead, where there is something.";
    "PL2102" 422 "unknown function or operation"
        at: "`placet check`, `run`, `deploy`; actions of agents"
        what: "`call` names neither an operation of a provider, nor a function under use.functions, nor http or openapi."
        help: "see `placet adapters list`"
        next: "Operations are written provider.group.name. A provider of your own is a manifest in `adapters/`.";
    "PL2103" 422 "unknown then target"
        at: "`placet check`, `run`, `deploy`"
        what: "`then` may only lead to a task of the same list, or be continue, exit or end."
        help: "name a task of the same list"
        next: "To jump out of a nested list use exit, and put the target's name on the outer task.";
    "PL2104" 422 "duplicate task name"
        at: "`placet check`, `run`, `deploy`"
        what: "Two tasks of one list have one name, so that `then`, traces and approvals could not tell them apart."
        help: "rename one of the tasks"
        next: "Names need only be unique within their list.";
    "PL2105" 422 "unknown name in use"
        at: "`placet check`, `run`, `deploy`"
        what: "A task refers to an error, retry, function, authentication, timeout or secret that `use` does not declare."
        help: "declare it under use, or correct the name"
        next: "The message names the nearest one that is declared.";
    "PL2106" 422 "unsupported expression language or mode"
        at: "`placet check`, `run`, `deploy`"
        what: "`evaluate` asks for a language other than jq, or for the loose mode, in which whole strings would be expressions."
        help: "only jq in strict mode"
        next: "Remove `evaluate` and put every expression into '${ }'.";
    "PL2107" 422 "metadata.approval cannot be used"
        at: "`placet check`, `run`, `deploy`"
        what: "The approval that a task or document asks for has another form, names people who are not there, or would ask for less than the policy does."
        help: "see the message; it may only tighten"
        next: "Authors can ask for more votes, shorter times and stricter rules. To ask for less, an admin changes policy.yaml.";
    "PL2108" 422 "with does not match the operation's input"
        at: "`placet check`, `run`, `deploy`; actions of agents"
        what: "The operation's schema wants another member or another type. Values that are expressions are checked again when the run knows them."
        help: "see the message for the member"
        next: "`placet adapters show PROVIDER` prints what each operation takes.";
    "PL2109" 422 "fields that contradict each other"
        at: "`placet check`, `run`, `deploy`"
        what: "Two settings of one task or document cannot hold together, or one is missing that another one needs."
        help: "see the message"
        next: "Keep the one that you mean; the message names both places.";
    "PL2110" 422 "unknown integration"
        at: "`placet check`, `run`, `deploy`"
        what: "`with.integration` names no connection of this project, or the provider has no default one."
        help: "name an integration of the project, or leave it out for the default one"
        next: "`placet integrations list` shows them; `placet integrations connect` makes one.";
    "PL2201" 422 "expression cannot be used"
        at: "`placet check`, `run`, `deploy`"
        what: "The expression is no jq, or uses something that is fenced off: environment, files, input, time, or a function that could run without end."
        help: "see the message; fenced functions are refused"
        next: "The mark stands at the place in the expression. Time and ids come from $runtime and $workflow, secrets from $secrets.";
    "PL2202" 422 "${ inside a longer string"
        at: "`placet check`, `run`, `deploy`"
        what: "An expression is a whole value. Within a longer string `${` would be sent as it stands, which is hardly ever meant."
        help: "write '${ \"Hello \\(.x)\" }'"
        next: "Make the whole string one expression and use jq's own \\( ) inside it.";
    "PL2203" 422 "variable is not defined here"
        at: "`placet check`, `run`, `deploy`"
        what: "The variable exists somewhere else, or nowhere: $item only within its loop, $error only in catch, $output only in output and export."
        help: "see which variables exist at this place"
        next: "The message lists them. Keep what you need later with `export` in $context.";
    "PL2204" 422 "expression is not in single quotes"
        at: "`placet check`, `deploy`; a warning"
        what: "It is read as it was meant, but YAML's double quotes or bare words change backslashes and some signs in expressions."
        help: "put it in single quotes"
        next: "A single quote within it is written twice.";
    "PL2205" 422 "string that looks like an expression"
        at: "`placet check`, `deploy`; a warning"
        what: "The value is a plain string that begins like jq (`.name`, `$context`). It is sent as it stands."
        help: "wrap it in '${ }' if it is one"
        next: "Leave it if the text is meant literally.";
    "PL2206" 422 "template of another tool"
        at: "`placet check`, `deploy`; a warning"
        what: "`{{ }}`, `$(…)` or the like means nothing here, and would be sent as text."
        help: "use '${ }'"
        next: "Leave it if the receiver is to fill it in.";
    "PL2301" 422 "not an ISO 8601 duration"
        at: "`placet check`, `run`, `deploy`"
        what: "A span of time has a form that cannot be read, or is negative."
        help: "write PT30M, P2D or { minutes: 30 }"
        next: "Months and years have no fixed length and are not taken.";
    "PL2302" 422 "a timeout given as a name"
        at: "`placet check`, `run`, `deploy`"
        what: "`timeout` is a plain string: it would be the name of one under use.timeouts, and there is none of that name."
        help: "write timeout: { after: P2D }"
        next: "Or declare the name under use.timeouts.";
    "PL2303" 422 "export drops the context"
        at: "`placet check`, `deploy`; a warning"
        what: "`export.as` replaces the whole context, and this one does not build on $context: what earlier tasks kept is gone after it."
        help: "start from $context + { … }"
        next: "Leave it if you mean to begin anew.";
    "PL2304" 422 "retry without a limit"
        at: "`placet check`, `deploy`; a warning"
        what: "The retry has neither a number of attempts nor a duration. Each try of a write is a new draft, so that people would be asked again and again."
        help: "add limit.attempt.count"
        next: "Without it the engine's own bound ends it.";
    "PL2305" 422 "status 408 catches expired approvals too"
        at: "`placet check`, `deploy`; a warning"
        what: "A catch by status alone also catches an approval that nobody gave in time, which is a no and not a slow answer."
        help: "filter by type"
        next: "Name the type of fault that you mean to catch beside the status.";
    "PL2306" 422 "export inside fork branches"
        at: "`placet check`, `deploy`; a warning"
        what: "Branches run beside each other, so each exports into a context of its own, and none is the workflow's."
        help: "results are merged at the join"
        next: "Take them from the fork's output, and export on the fork itself.";
    "PL2307" 422 "read is unset"
        at: "`placet check`, `deploy`; a warning"
        what: "A `listen` does not say what it takes of an event, and gets its data only."
        help: "data is the default"
        next: "Write read: envelope for the whole event, read: data to say what you mean.";
    "PL2308" 422 "literal secret or plain http"
        at: "`placet check`, `deploy`; a warning"
        what: "Something in the text looks like a key, token or password, or would be sent without encryption. A workflow's text is kept for ever and shown to everybody who may read it."
        help: "use use.secrets, and https"
        next: "If it was a real secret and is in a repository, revoke it at its provider.";
    "PL2309" 422 "unused or unreachable"
        at: "`placet check`; a hint"
        what: "A declaration that nothing refers to, or a task that no way leads to."
        help: "remove it"
        next: "If it should be reached, look at the `then` of the tasks before it.";
    "PL2310" 422 "a boolean key that was on"
        at: "`placet check`, `deploy`; a warning"
        what: "Older YAML reads the bare words on, off, yes and no as true and false. Placet takes the key as it is written, but other tools may not."
        help: "quote the key"
        next: "Write 'on': with quotes, and every reader takes it for the same key.";
    "PL2401" 422 "policy.yaml cannot be used"
        at: "`placet check`, `placet policy check|test|apply`"
        what: "The policy has an unknown key, names people or groups that are not there, or contradicts itself. The policy that was in force stays in force."
        help: "see the position in the message"
        next: "`placet policy check` shows all findings at once, `placet policy test` what the new policy would ask of past decisions.";
    "PL2411" 422 "the address of the collector of traces cannot be used"
        at: "`placet dev`, `placet serve`, `placet run`, at start"
        what: "`telemetry.otlp.endpoint`, or the variable of OpenTelemetry that takes its place, is no http or https address, or it holds a login. Nothing was started."
        help: "write it as http://127.0.0.1:4318"
        next: "A login goes into OTEL_EXPORTER_OTLP_HEADERS. Without an address no traces are told.";
    "PL2412" 422 "traces would leave the sandbox"
        at: "`placet dev`, `placet serve`, at start in sandbox mode"
        what: "In sandbox mode nothing leaves this machine, traces neither, and the address of the collector is elsewhere. Nothing was started."
        help: "name a collector on this machine, such as http://127.0.0.1:4318"
        next: "Or unset the variable OTEL_EXPORTER_OTLP_ENDPOINT that others may have set for all programs, or set OTEL_SDK_DISABLED=true.";
    "PL2413" 422 "the collector of traces is to be spoken to in another way"
        at: "`placet dev`, `placet serve`, `placet run`, at start"
        what: "OTEL_EXPORTER_OTLP_PROTOCOL asks for something else than OTLP over HTTP in JSON. Nothing was started."
        help: "set OTEL_EXPORTER_OTLP_PROTOCOL=http/json, or unset it"
        next: "Collectors take JSON at the address where they take http/protobuf, usually on port 4318.";
    "PL2414" 422 "the headers for the collector of traces cannot be read"
        at: "`placet dev`, `placet serve`, `placet run`, at start"
        what: "OTEL_EXPORTER_OTLP_HEADERS is no list of `name=value` with commas between them, or a value holds what no header may. Nothing was started."
        help: "write api-key=VALUE, percent-encoded where it has commas or spaces"
        next: "Correct the variable and start it again; what it holds is in no message and no log.";
    "PL2415" 422 "a channel of placet.toml leads nowhere"
        at: "`placet check`"
        what: "`[channels.NAME]` names an operation that this project does not have or that does not send, or a connection of another provider. The engine would not start with it, or nobody would be told anything. A connection that is not there yet is a warning."
        help: "name an operation that sends, and a connection of its provider"
        next: "`placet adapters list` shows the operations and `placet integrations list` the connections; without `integration` the default one of the provider carries the channel.";
    "PL2416" 422 "the trigger of what starts this workflow is off"
        at: "`placet check`, `dev`, `deploy`"
        what: "The workflow is started by an event of a provider, and at every connection of that provider the trigger of this event is off or was removed. It deploys, and nothing starts it."
        help: "switch it on: placet triggers set NAME EVENT on"
        next: "`placet triggers list` says which events start runs. A manifest may state that an event starts none until somebody says so, such as reports of deliveries.";
};
