//! One operation of a file → one [`Operation`]: straight lines, each field by its own check.

use super::check::{Shared, schema_at};
use super::document::OperationDoc;
use super::operation::{Delivery, Operation, RequestSpec};
use super::problem::Problems;
use super::{
    LoadContext, check_again, check_answer, check_assertion, check_auth, check_delivery,
    check_read, check_request, lint, references,
};
use crate::classify::ErrorCode;
use crate::mock::Mock;
use crate::money::MoneySpec;
use crate::pages::Pagination;
use crate::pointer::Pointer;
use crate::predicate::BodyTest;
use crate::template::Template;
use placet_model::{Digest, canonical};
use serde_json::{Value, json};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Seconds that a call takes at most where the manifest says nothing.
const TIMEOUT_S_DEFAULT: u32 = 30;
/// Seconds that no call takes, whatever a manifest says.
const TIMEOUT_S_MAX: u32 = 300;

pub(super) fn operation(
    name: &str,
    document: &Spanned<OperationDoc>,
    shared: &Shared,
    context: LoadContext<'_>,
    problems: &mut Problems,
) -> Option<Operation> {
    let shape = &document.value;
    check_shape(name, document, problems);
    let full_name = format!("{}.{name}", shared.provider);
    let mut schema = |path: &Option<Spanned<String>>| {
        path.as_ref().and_then(|path| schema_at(path, context, problems))
    };
    let (input_schema, output_schema) = (schema(&shape.input_schema), schema(&shape.output_schema));
    let request = check_request::request(&shape.request, problems)?;
    let signing = check_assertion::called_with(document, shared, problems);
    let placement = signing.map_or(&shared.placement, |signing| &signing.placement).clone();
    lint_request(&request, document, (&full_name, shared, context), problems);
    let target = match &shape.target {
        Some(target) => Some(check_request::target(target, problems)?),
        None => None,
    };
    let (delivery, final_when) = delivery(shape, &request, problems)?;
    let digest = semantic_digest(&full_name, shape, shared)
        .map_err(|error| problems.at(document, error.to_string()))
        .ok()?;
    let output = shape.output.as_deref().map(|list| patterns(list, problems));
    let recipients = patterns(shape.recipients.as_deref().unwrap_or_default(), problems);
    let known = (target.as_ref(), input_schema.as_deref(), shared);
    references::all(document, (&request, &delivery), known, problems);
    let (pagination, money) = read_and_money(shape, (&request, known), problems);
    let named = (recipients.as_slice(), target.as_ref());
    lint::recipients_are_named(document, input_schema.as_deref(), named, problems);
    Some(Operation {
        title: shape.title.clone().unwrap_or_else(|| full_name.clone()),
        name: full_name,
        provider: shared.provider.clone(),
        effect: shape.effect.value,
        digest,
        input_schema,
        output_schema,
        config_schema: shared.config_schema.clone(),
        hosts: Arc::clone(&shared.hosts),
        placement,
        client_certificate: shared.client_certificate.clone(),
        shared_headers: Arc::clone(&shared.headers),
        api_version: shared.api_version.clone(),
        modes: shared.modes(),
        grants: shared.grants.clone().filter(|_| signing.is_none()),
        signed: signing.map(|signing| Arc::clone(&signing.spec)),
        signature: shared.signature.clone(),
        target,
        recipients,
        request,
        text_limits: check_request::text_limits(shape, problems),
        preview: check_request::preview(shape, &shared.modes(), problems),
        rules: check_answer::rules(&shape.classify, problems)?,
        error_code: error_code(shape, problems),
        waits: check_answer::waits(&shape.wait_from, problems),
        result: named_templates(shape.result.as_ref(), problems)?,
        answered: named_templates(shape.answered.as_ref(), problems)?,
        store: check_answer::store(shape.store.as_deref().unwrap_or_default(), problems),
        output,
        delivery,
        final_when,
        vendor_dry_run: vendor_dry_run(shape),
        mock: match &shape.mock {
            Some(mock) => check_delivery::mock(mock, problems)?,
            None => Mock::default(),
        },
        timeout: timeout(shape, problems),
        limits: Vec::new(),
        undo: None,
        pagination,
        money,
        examples: OnceLock::new(),
    })
}

/// What it offers against sending twice, and what a good answer must say to be final.
fn delivery(
    shape: &OperationDoc,
    request: &RequestSpec,
    problems: &mut Problems,
) -> Option<(Delivery, Option<BodyTest>)> {
    let mut delivery = match &shape.delivery {
        Some(said) => check_delivery::delivery(said, problems)?,
        None => check_delivery::no_delivery(),
    };
    lint::key_is_sent(request, shape, problems);
    check_again::field_is_sent(request, shape, problems);
    let final_when = match &shape.final_when {
        Some(said) => Some(check_answer::body_test(&said.value, said, problems)?),
        None => None,
    };
    if let Some(reconcile) = &mut delivery.reconcile {
        reconcile.final_when.clone_from(&final_when);
    }
    Some((delivery, final_when))
}

/// How it goes on, where it is a read, and what it moves, where it is none.
fn read_and_money(
    shape: &OperationDoc,
    (request, (_, input, shared)): (&RequestSpec, references::Known<'_>),
    problems: &mut Problems,
) -> (Option<Pagination>, Option<MoneySpec>) {
    let pagination = shape.pagination.as_ref().and_then(|said| {
        check_read::pagination(said, (shape, request, shared.placement.as_ref()), problems)
    });
    let money = shape.money.as_ref();
    let money = money.and_then(|said| check_read::money(said, (shape, input), problems));
    (pagination, money)
}

fn named_templates(
    said: Option<&Spanned<BTreeMap<String, String>>>,
    problems: &mut Problems,
) -> Option<BTreeMap<String, Template>> {
    match said {
        Some(said) => check_answer::templates(&said.value, said, problems),
        None => Some(BTreeMap::new()),
    }
}

fn lint_request(
    request: &RequestSpec,
    document: &Spanned<OperationDoc>,
    (full_name, shared, context): (&str, &Shared, LoadContext<'_>),
    problems: &mut Problems,
) {
    let RequestSpec::Template(template) = request else { return };
    lint::hosts(template, &document.value, shared, problems);
    lint::secret_in_url(template, &document.value, shared, problems);
    check_auth::fits(template, &document.value, shared, problems);
    lint::sign_has_key(template, &document.value, shared, problems);
    lint::read_is_believable(template, document, (full_name, context.origin), problems);
}

fn patterns(list: &[Spanned<String>], problems: &mut Problems) -> Vec<Pointer> {
    list.iter().filter_map(|text| check_answer::pattern(text, problems)).collect()
}

/// `none` is none.
fn vendor_dry_run(shape: &OperationDoc) -> Option<Value> {
    shape.vendor_dry_run.as_ref().map(|told| told.value.clone()).filter(Value::is_object)
}

fn check_shape(name: &str, document: &Spanned<OperationDoc>, problems: &mut Problems) {
    let shape = &document.value;
    if !lint::is_operation_name(name) {
        problems.at(document, format!("{name:?} is no operation name"));
    }
    lint::final_when(shape, problems);
    lint::completeness(document, problems);
    lint::last_rule(shape, document, problems);
    lint::vendor_dry_run(shape, problems);
}

fn error_code(shape: &OperationDoc, problems: &mut Problems) -> Option<ErrorCode> {
    shape.error_code.as_ref().and_then(|code| check_answer::error_code(code, problems))
}

fn timeout(shape: &OperationDoc, problems: &mut Problems) -> Duration {
    let seconds = shape.timeout_s.as_ref().map_or(TIMEOUT_S_DEFAULT, |timeout| {
        if timeout.value == 0 || timeout.value > TIMEOUT_S_MAX {
            problems.at(timeout, format!("timeout_s is 1 to {TIMEOUT_S_MAX}"));
        }
        timeout.value
    });
    Duration::from_secs(u64::from(seconds))
}

/// SHA-256 of the canonical form of what decides about bytes and outcomes, and of nothing else.
fn semantic_digest(
    full_name: &str,
    shape: &OperationDoc,
    shared: &Shared,
) -> Result<Digest, canonical::Error> {
    let mut part = json!({
        "v": 1,
        "operation": full_name,
        "effect": shape.effect.value,
        "request": shape.request.value,
        "target": shape.target.as_ref().map(|target| &target.value),
        "classify": shape.classify.iter().map(|rule| &rule.value).collect::<Vec<_>>(),
        "delivery": shape.delivery.as_ref().map(|delivery| &delivery.value),
        "auth": shared.auth_digest_part,
        "hosts": &*shared.hosts,
    });
    // only where it is said: what says nothing of it keeps the digest that it always had
    if let Some(version) = &shared.api_version_part {
        part["api_version"] = version.clone();
    }
    if let Some(pages) = &shape.pagination {
        part["pagination"] = json!(pages.value);
    }
    if let Some(signing) = shape.auth.as_ref().and(shared.signing.as_ref()) {
        part["auth"] = signing.digest_part.clone();
    }
    if let Some(said) = &shape.final_when {
        part["final_when"] = json!(said.value);
    }
    canonical::digest(&part)
}
