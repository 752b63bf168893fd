//! From the shape of a file to a [`Manifest`]: the one constructor.

use super::check_assertion::{self, Signing};
use super::document::{
    AuthDoc, AuthKind, BasicDoc, IdentityDoc, ManifestDoc, PlacementDoc, SchemaDoc, ScopesDoc,
    ScopesFromDoc, SignScheme, TestDoc, WhenDoc,
};
use super::document_oauth::RevokeDoc;
use super::operation::{ClientCertificate, HeaderPlacement, Placement, Scheme, Signature};
use super::problem::Problems;
use super::{
    LoadContext, LoadError, Manifest, Operation, Revoke, ScopeSet, Signed, check_answer,
    check_auth, check_inbound, check_limits, check_notify, check_oauth, check_operation,
    check_pairing, check_request, check_steps, check_undo, lint, references,
};
use crate::identity::{IdentityTest, ModeFrom, NamedBy, ScopesFrom};
use crate::oauth::{GrantSpec, Grants};
use crate::template::{Name, Template};
use placet_schemas::Schema;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Largest manifest file that is read.
const FILE_BYTES_MAX: usize = 1 << 20;

/// What every operation of a manifest shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) provider: String,
    pub(super) hosts: Arc<[String]>,
    pub(super) config_schema: Option<Arc<Schema>>,
    pub(super) credential_schema: Option<Arc<Schema>>,
    pub(super) placement: Option<Placement>,
    pub(super) client_certificate: Option<ClientCertificate>,
    pub(super) grant: Option<Arc<GrantSpec>>,
    pub(super) signing: Option<Signing>,
    pub(super) grants: Option<Arc<Grants>>,
    pub(super) signature: Option<Signature>,
    /// The path segment that holds the secret, where a url does.
    pub(super) secret_segment: Option<String>,
    /// Auth placement and scheme as written, for the digest.
    pub(super) auth_digest_part: serde_json::Value,
    /// Of every request, in this order.
    pub(super) headers: Arc<[(String, Template)]>,
    pub(super) api_version: Option<Arc<str>>,
    /// The path segment that names the version, where a url does.
    pub(super) version_segment: Option<String>,
    /// The API's version as written, for the digest.
    pub(super) api_version_part: Option<serde_json::Value>,
    pub(super) mode_from: Option<ModeFrom>,
}

impl Shared {
    pub(super) fn modes(&self) -> Arc<[String]> {
        self.mode_from.as_ref().map(ModeFrom::modes).unwrap_or_default().into()
    }
}

pub(super) fn manifest(
    file: &str,
    text: &str,
    context: LoadContext<'_>,
) -> Result<Manifest, LoadError> {
    let document = parse(text).map_err(|problems| problems.into_error(file))?;
    let mut problems = Problems::default();
    head(&document, &mut problems);
    let shared = shared(&document, context, &mut problems);
    references::of_auth(&document, &shared, &mut problems);
    let mut operations = BTreeMap::new();
    for (name, operation) in &document.operations {
        if let Some(mut checked) =
            check_operation::operation(name, operation, &shared, context, &mut problems)
        {
            checked.limits = check_limits::of_operation(name, &document, &checked, &mut problems);
            checked.undo = check_undo::undo(&document, &operation.value, &mut problems);
            operations.insert(checked.name().to_owned(), Arc::new(checked));
        }
    }
    check_limits::check(&document, &shared.modes(), &mut problems);
    check_undo::planned(&document, &mut problems);
    lint::look_ups(&document, &operations, &mut problems);
    lint::previews(&document, &operations, &mut problems);
    let (test, revoke) = (document.test.as_ref(), document.revoke.as_ref());
    let (test, revoke) = whose((test, revoke), (&document, &shared, &operations), &mut problems);
    let signed = signed((&document, &shared, &operations), &mut problems);
    let inbound = document.inbound.as_ref().and_then(|inbound| {
        check_inbound::inbound(inbound, &shared.provider, &operations, &mut problems)
    });
    if let Some(pairing) = document.inbound.as_ref().and_then(|said| said.value.pairing.as_ref()) {
        check_pairing::setting(pairing, shared.config_schema.as_deref(), &mut problems);
    }
    let notify = document.notify.as_ref().and_then(|notify| {
        check_notify::notify(notify, &shared.provider, &operations, &mut problems)
    });
    let known = check_steps::Known {
        provider: &shared.provider,
        operations: &operations,
        config: shared.config_schema.as_deref(),
        inbound: inbound.as_ref(),
    };
    let steps = document.steps.iter();
    let steps = steps.filter_map(|step| check_steps::step(step, &known, &mut problems)).collect();
    if !problems.is_empty() {
        return Err(problems.into_error(file));
    }
    Ok(Manifest {
        provider: document.provider.value,
        title: document.title,
        category: document.category,
        planned: document.planned,
        config_schema: shared.config_schema,
        credential_schema: shared.credential_schema,
        scopes: document
            .scopes
            .into_iter()
            .map(|(name, set)| (name, scope_set(set.value)))
            .collect(),
        test,
        revoke,
        mode_from: shared.mode_from,
        grant: shared.grant,
        signed,
        inbound,
        notify,
        steps,
        operations,
        source: Arc::from(text),
    })
}

/// A manifest as far as it is checked.
type Known<'a> = (&'a ManifestDoc, &'a Shared, &'a BTreeMap<String, Arc<Operation>>);

/// How it is asked whose a credential is, and how a credential is given back.
fn whose(
    (test, revoke): (Option<&Spanned<TestDoc>>, Option<&Spanned<RevokeDoc>>),
    (document, shared, operations): Known<'_>,
    problems: &mut Problems,
) -> (Option<IdentityTest>, Option<Revoke>) {
    let test = test.and_then(|test| identity_test(test, &shared.provider, operations, problems));
    let hosts = grant_hosts(document, &shared.hosts);
    let allowed = (shared.placement.as_ref(), &*hosts);
    (test, revoke.map(|revoke| check_oauth::revoke(revoke, allowed, problems)))
}

/// The same of a credential that signs.
fn signed(known: Known<'_>, problems: &mut Problems) -> Option<Signed> {
    let (document, shared, _) = known;
    let said = &document.auth.value.assertion.as_ref()?.value;
    let (test, revoke) = whose((said.test.as_ref(), said.revoke.as_ref()), known, problems);
    let spec = Arc::clone(&shared.signing.as_ref()?.spec);
    Some(Signed { spec, test, revoke })
}

fn head(document: &ManifestDoc, problems: &mut Problems) {
    if document.manifest.value != 1 {
        let (said, help) = (&document.manifest, "this build reads format 1");
        problems.at_with_help(said, "unknown manifest format", help);
    }
    let provider = &document.provider;
    if !is_provider_name(&provider.value) {
        problems.at(provider, "a provider is named with a-z, 0-9 and -, starting with a letter");
    }
}

fn parse(text: &str) -> Result<ManifestDoc, Problems> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Problems::from_words(format!(
            "the file is larger than {FILE_BYTES_MAX} bytes"
        )));
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        legacy_octal_numbers: false,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: 64, max_documents: 1 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| Problems::from_yaml(&error))
}

fn shared(document: &ManifestDoc, context: LoadContext<'_>, problems: &mut Problems) -> Shared {
    for host in &document.hosts {
        if !is_host(&host.value) {
            problems
                .at(host, "a host is a lower-case name or address without scheme, port and path");
        }
    }
    let auth = &document.auth;
    let placement = placement(auth, problems);
    let grant = auth.value.oauth.as_ref().and_then(|oauth| {
        if !matches!(auth.value.kind, AuthKind::Oauth2Code | AuthKind::Bearer) {
            problems.at(oauth, "auth.oauth stands with auth.kind oauth2_code or bearer");
        }
        let hosts = grant_hosts(document, &[]);
        check_oauth::oauth(oauth, (auth, placement.as_ref(), &hosts), problems)
    });
    let signing = auth.value.assertion.as_ref().and_then(|said| {
        if !matches!(auth.value.kind, AuthKind::Oauth2Code | AuthKind::Bearer | AuthKind::ApiKey) {
            problems
                .at(said, "auth.assertion stands with auth.kind oauth2_code, bearer or api_key");
        }
        let hosts = grant_hosts(document, &[]);
        check_assertion::assertion(said, (auth, placement.as_ref(), &hosts), problems)
    });
    let said = auth.value.placement.as_ref();
    let mtls = said.and_then(|said| Some((said.value.mtls.as_ref()?, said)));
    let client_certificate =
        mtls.and_then(|(mtls, place)| check_auth::client_certificate(mtls, place, problems));
    let credential_schema = schema(document.credentials.as_ref(), context, problems);
    let mode_from = auth.value.mode_from.as_ref().and_then(|said| {
        check_auth::mode_from(said, (&auth.value, credential_schema.as_deref()), problems)
    });
    Shared {
        provider: document.provider.value.clone(),
        hosts: document.hosts.iter().map(|host| host.value.clone()).collect(),
        config_schema: schema(document.config.as_ref(), context, problems),
        placement,
        client_certificate,
        grants: grants(grant.as_ref(), signing.as_ref()),
        grant,
        signing,
        signature: auth.value.sign.as_ref().map(|sign| Signature {
            scheme: match sign.value.scheme {
                SignScheme::StandardWebhooks => Scheme::StandardWebhooks,
            },
            secret: sign.value.secret.clone(),
        }),
        secret_segment: auth
            .value
            .placement
            .as_ref()
            .and_then(|placement| placement.value.path.clone()),
        auth_digest_part: check_auth::digest_part(&auth.value),
        headers: check_auth::shared_headers(document, problems).into(),
        api_version: document.api_version.as_ref().map(|said| Arc::from(said.value.value.as_str())),
        version_segment: document.api_version.as_ref().and_then(|said| said.value.path.clone()),
        api_version_part: document.api_version.as_ref().map(|said| {
            serde_json::to_value(&said.value).expect("a version of three texts is JSON")
        }),
        credential_schema,
        mode_from,
    }
}

/// How the token of a connection is renewed; none where it never is.
fn grants(person: Option<&Arc<GrantSpec>>, signing: Option<&Signing>) -> Option<Arc<Grants>> {
    let (person, signed) = (person.cloned(), signing.map(|signing| Arc::clone(&signing.spec)));
    let is_any = person.is_some() || signed.is_some();
    is_any.then(|| Arc::new(Grants { person, signed }))
}

/// Hosts at which a grant is given, renewed and taken back: those of the manifest, and those of its
/// authorization server, where nothing else is called.
fn grant_hosts(document: &ManifestDoc, more: &[String]) -> Vec<String> {
    let oauth = document.auth.value.oauth.as_ref().map(|oauth| oauth.value.hosts.iter());
    let known = document.hosts.iter().map(|host| host.value.clone());
    known.chain(oauth.into_iter().flatten().cloned()).chain(more.iter().cloned()).collect()
}

fn placement(auth: &Spanned<AuthDoc>, problems: &mut Problems) -> Option<Placement> {
    let needs_placement = match auth.value.kind {
        AuthKind::ApiKey | AuthKind::Bearer | AuthKind::Oauth2Code => true,
        AuthKind::None | AuthKind::Caller => false,
        AuthKind::Signature => {
            if auth.value.sign.is_none() {
                problems.at(auth, "auth.kind signature needs auth.sign");
            }
            false
        }
    };
    let Some(placement) = &auth.value.placement else {
        if needs_placement {
            problems.at(auth, "this auth.kind needs auth.placement");
        }
        return None;
    };
    if let Some(name) = &placement.value.query {
        return check_auth::in_query(name, placement, problems);
    }
    if let Some(basic) = &placement.value.basic {
        return basic_placement(basic, placement, problems);
    }
    if let Some(segment) = &placement.value.path {
        in_path(segment, placement, problems);
        return None;
    }
    if placement.value.mtls.is_some() && placement.value.header.is_none() {
        return None;
    }
    let (Some(header), Some(value)) = (&placement.value.header, &placement.value.value) else {
        problems.at(placement, "auth.placement needs header and value");
        return None;
    };
    let value = check_request::template(value, placement, problems)?;
    if !value.has_hole() {
        problems.at(placement, "auth.placement names no secret");
    }
    if !crate::render::is_header_name(header) {
        problems.at(placement, format!("{header:?} is no header name"));
    }
    Some(Placement::Header(HeaderPlacement { header: header.clone(), value }))
}

fn basic_placement(
    basic: &BasicDoc,
    placement: &Spanned<PlacementDoc>,
    problems: &mut Problems,
) -> Option<Placement> {
    if placement.value.header.is_some() || placement.value.value.is_some() {
        problems.at(placement, "auth.placement is basic, or header and value");
    }
    let user = check_request::template(&basic.user, placement, problems)?;
    let password = check_request::template(&basic.password, placement, problems)?;
    let field = match password.whole().map(|place| place.names.as_slice()) {
        Some([Name::Secret(field)]) if !user.has_hole() => field.clone(),
        _ => {
            problems.at(placement, "basic is {user: text, password: \"{secret:field}\"}");
            return None;
        }
    };
    Some(Placement::Basic { user, password: field })
}

/// A secret in the path stands in each operation's url ([`lint::secret_in_url`]).
fn in_path(segment: &str, placement: &Spanned<PlacementDoc>, problems: &mut Problems) {
    let names_secret = check_request::template(segment, placement, problems)
        .is_some_and(|template| template.has_hole());
    if !names_secret || segment.contains('/') || placement.value.header.is_some() {
        problems.at(placement, "auth.placement.path is one segment that names a secret");
    }
}

fn schema(
    document: Option<&Spanned<SchemaDoc>>,
    context: LoadContext<'_>,
    problems: &mut Problems,
) -> Option<Arc<Schema>> {
    schema_at(&document?.value.schema, context, problems)
}

/// The compiled schema with this path; a problem where it does not exist or does not compile.
pub(super) fn schema_at(
    path: &Spanned<String>,
    context: LoadContext<'_>,
    problems: &mut Problems,
) -> Option<Arc<Schema>> {
    let Some(text) = (context.schema_files)(&path.value) else {
        problems.at(path, format!("there is no schema {}", path.value));
        return None;
    };
    let document = match serde_json::from_str(&text) {
        Ok(document) => document,
        Err(error) => {
            problems.at(path, format!("{} is not JSON: {error}", path.value));
            return None;
        }
    };
    if matches!(context.origin, super::Origin::Shipped) {
        return Some(context.registry.register_shipped(&document));
    }
    match context.registry.register(&document) {
        Ok(schema) => Some(schema),
        Err(error) => {
            problems.at(path, format!("{}: {error}", path.value));
            None
        }
    }
}

fn identity_test(
    test: &Spanned<TestDoc>,
    provider: &str,
    operations: &BTreeMap<String, Arc<Operation>>,
    problems: &mut Problems,
) -> Option<IdentityTest> {
    let full = format!("{provider}.{}", test.value.op.value);
    let Some(operation) = operations.get(&full) else {
        problems.at(&test.value.op, format!("there is no operation {full}"));
        return None;
    };
    if operation.effect() != placet_model::manifest::Effect::Read {
        problems.at(&test.value.op, "the identity test must be a read");
    }
    let named = match &test.value.identity {
        Some(identity) => Some(named_by(identity, problems)?),
        None => None,
    };
    let mut whens = |list: &[WhenDoc]| -> Option<Vec<_>> {
        list.iter().map(|when| check_answer::when(when, test, problems)).collect()
    };
    let (success, limited) = (whens(&test.value.success_when)?, whens(&test.value.limited_when)?);
    Some(IdentityTest {
        operation: Arc::clone(operation),
        success,
        limited,
        named,
        scopes_from: match &test.value.scopes_from {
            Some(from) => Some(scopes_from(from, test, problems)?),
            None => None,
        },
        store: check_answer::store(&test.value.store, problems),
    })
}

fn named_by(identity: &Spanned<IdentityDoc>, problems: &mut Problems) -> Option<NamedBy> {
    let mut read =
        |text: &str| -> Option<Template> { check_request::template(text, identity, problems) };
    Some(NamedBy {
        label: read(&identity.value.label)?,
        id: read(&identity.value.id)?,
        tenant: read(&identity.value.tenant)?,
    })
}

fn scopes_from(
    document: &ScopesFromDoc,
    place: &Spanned<TestDoc>,
    problems: &mut Problems,
) -> Option<ScopesFrom> {
    match (&document.header, &document.sep, &document.body) {
        (Some(name), Some(sep), None) => {
            Some(ScopesFrom::Header { name: name.clone(), sep: sep.clone() })
        }
        (None, None, Some(at)) => check_request::pointer(at, place, problems).map(ScopesFrom::Body),
        _ => {
            problems.at(place, "scopes_from is {header, sep} or {body}");
            None
        }
    }
}

fn scope_set(document: ScopesDoc) -> ScopeSet {
    ScopeSet { list: document.list, any_of: document.any_of, buys: document.buys }
}

fn is_provider_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 63
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
}
