//! What each operation promises, as a page: computed from the manifests, so that it cannot say more
//! than they do.

use crate::manifest::{Absent, Manifest, Operation, Resend, Way};
use crate::undo::Reversibility;
use crate::{Adapters, inbound::Inbound};
use placet_model::manifest::{DeliveryKind, Effect};
use std::fmt::Write as _;

/// How an operation is tested; only the tests know.
pub type Tested<'a> = &'a dyn Fn(&str) -> String;

/// The page in Markdown: each provider, its operations, and under them what goes for all of them.
pub fn markdown(adapters: &Adapters, tested: Option<Tested<'_>>) -> String {
    let mut page = String::new();
    for manifest in adapters.manifests().values() {
        provider(&mut page, manifest, tested);
    }
    page
}

fn provider(page: &mut String, manifest: &Manifest, tested: Option<Tested<'_>>) {
    let (head, rule) = match tested {
        Some(_) => (" Tested with |", " --- |"),
        None => ("", ""),
    };
    put(page, &format!("## {}\n", manifest.title()));
    put(page, &format!("Status: {}.\n", manifest.badge()));
    put(
        page,
        &format!(
            "| Operation | Effect | Can it be undone | If nobody knows whether it went | Dry run |{head}"
        ),
    );
    put(page, &format!("| --- | --- | --- | --- | --- |{rule}"));
    for operation in manifest.operations().values() {
        let mut row = format!(
            "| `{}` | {} | {} | {} | {} |",
            operation.name(),
            operation.effect(),
            undone(operation),
            guarantee(operation),
            dry_run(operation)
        );
        if let Some(tested) = tested {
            write!(row, " {} |", tested(operation.name()))
                .expect("writing to a string cannot fail");
        }
        put(page, &row);
    }
    put(page, "");
    for operation in manifest.operations().values() {
        limits(page, operation);
    }
    for (name, set) in manifest.scopes() {
        let mut asked = set.list.clone();
        if !set.any_of.is_empty() {
            asked.push(format!("one of {}", set.any_of.join(", ")));
        }
        let buys = set.buys.join(", ");
        put(page, &format!("- Scopes `{name}`: {}; for {buys}.", asked.join(", ")));
    }
    let who = match manifest.identity_test() {
        Some(test) if test.names_the_account() => "the account that the provider names",
        Some(_) => "the credential's lineage; the provider accepts it and does not say whose it is",
        None => "the credential's lineage",
    };
    put(page, &format!("- Acts as: {who}."));
    if let Some(grant) = manifest.grant() {
        put(page, &format!("- Connects by OAuth: {}.", grant.in_words()));
    }
    if let Some(revoke) = manifest.revoke() {
        put(page, &format!("- After a disconnect its credential is {}.", revoke.in_words()));
    }
    signed(page, manifest);
    let told: Vec<String> = manifest.inbound().map_or_else(Vec::new, |inbound| {
        inbound.evidence_keys().map(|key| format!("`{key}`")).collect()
    });
    if !told.is_empty() {
        put(
            page,
            &format!("- Says by itself that what was in doubt has arrived: {}.", told.join(", ")),
        );
    }
    put(page, &format!("- Inbound: {}.", inbound(manifest.inbound())));
    put(
        page,
        &format!("- May start runs once it is connected: {}.\n", triggers(manifest.inbound())),
    );
}

/// What is otherwise where a credential signs for its tokens.
fn signed(page: &mut String, manifest: &Manifest) {
    let Some(assertion) = manifest.assertion() else { return };
    put(page, &format!("- Connects by signing, too: {}.", assertion.in_words()));
    if let Some(revoke) = manifest.revoke_of(Way::Signed) {
        put(page, &format!("- Then, after a disconnect, its credential is {}.", revoke.in_words()));
    }
}

/// What is waited for before a call of it is claimed.
fn limits(page: &mut String, operation: &Operation) {
    let limits: Vec<_> = operation.limits().iter().map(ToString::to_string).collect();
    if !limits.is_empty() {
        put(page, &format!("- At most, `{}`: {}.", operation.name(), limits.join("; ")));
    }
}

fn put(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("writing to a string cannot fail");
}

fn guarantee(operation: &Operation) -> String {
    if operation.effect() == Effect::Read {
        return "it is read again".to_owned();
    }
    let delivery = operation.delivery();
    let look_up = delivery.reconcile().map(|reconcile| match reconcile.absent() {
        Absent::Trusted => "looked up; if it is not there, sent once more",
        Absent::Evidence => "looked up; if it is not there, a person decides on that",
        Absent::Human => "looked up; not finding it says nothing, a person decides",
    });
    match (delivery.kind(), delivery.ttl(), look_up) {
        (DeliveryKind::KeyHeader, Some(ttl), look_up) => {
            let hours = ttl.as_secs() / 3600;
            let then = look_up.unwrap_or("a person decides");
            format!("sent again under the same key for less than {hours} h; then {then}")
        }
        (
            DeliveryKind::ClientId | DeliveryKind::VersionGuard | DeliveryKind::NaturalKey,
            _,
            look_up,
        ) if delivery.resend() != Resend::Never => {
            let why = match delivery.kind() {
                DeliveryKind::ClientId => "its id is ours",
                DeliveryKind::VersionGuard => "it is guarded by the version",
                _ => "a second time changes nothing",
            };
            format!("sent again ({why}); then {}", look_up.unwrap_or("a person decides"))
        }
        (_, _, Some(look_up)) => look_up.to_owned(),
        _ => "a person decides".to_owned(),
    }
}

fn undone(operation: &Operation) -> String {
    match operation.reversibility() {
        Reversibility::Nothing => "–".to_owned(),
        Reversibility::Reversible { by } => format!("by `{by}`"),
        Reversibility::Compensable { by } => format!("made up for by `{by}`"),
        Reversibility::Irreversible => "no".to_owned(),
    }
}

fn dry_run(operation: &Operation) -> String {
    let Some(dry_run) = operation.vendor_dry_run() else { return "–".to_owned() };
    let word = |name: &str| dry_run[name].as_str().map(str::to_owned);
    match (word("input"), word("credential")) {
        (Some(at), _) => format!("`{at}` is {}", dry_run["is"]),
        (_, Some(field)) => format!("{field} is {}", dry_run["value"]),
        _ => "–".to_owned(),
    }
}

fn inbound(inbound: Option<&Inbound>) -> String {
    let Some(inbound) = inbound else { return "nothing".to_owned() };
    let events: Vec<String> = inbound.events().map(|(key, _)| format!("`{key}`")).collect();
    events.join(", ")
}

fn triggers(inbound: Option<&Inbound>) -> String {
    let mut stated: Vec<String> = vec![];
    for (key, starts) in inbound.into_iter().flat_map(Inbound::triggers) {
        stated.extend(starts.then(|| format!("`{key}`")));
    }
    if stated.is_empty() { "nothing".to_owned() } else { stated.join(", ") }
}
