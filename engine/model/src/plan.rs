//! The plan: what an author's document becomes after it has been checked.
//!
//! A plan is semantic: source positions, comments and unknown metadata are left out, so that its
//! digest changes exactly when its behaviour may. Expressions stay text here; `placet-language`
//! compiles and caches them. A run pins the digest of its plan for life.

mod api;
mod calls;
mod events;
mod retry;

pub use api::{
    ApiBody, ApiDocument, ApiForm, ApiOperation, ApiParameter, ApiPlace, ApiStyle, RequestHole,
};
pub use calls::{
    ClientAuthentication, FunctionCall, Grant, OAuth2, OpenApiCall, RunWorkflow, TokenEncoding,
};
pub use events::{
    AttributeMatch, Consume, Correlation, Emit, EventFilter, EventRead, ForEach, Listen, Schedule,
    Until,
};
pub use retry::{Backoff, Jitter, RetryLimit, RetryPolicy};

use crate::approval::ApprovalMetadata;
use crate::canonical;
use crate::integration::WorkflowPlace;
use crate::{Digest, Duration, TaskPath};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// `namespace/name@version` of a workflow definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowName {
    /// Namespace, a DNS label.
    pub namespace: String,
    /// Name, a DNS label.
    pub name: String,
    /// Semantic version.
    pub version: String,
}

impl WorkflowName {
    /// `namespace/name`, the part that versions share.
    pub fn family(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for WorkflowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.namespace, self.name, self.version)
    }
}

/// A jq expression without its `${ }`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expression(pub String);

/// A value with expressions at some leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// A value without any expression.
    Literal(Value),
    /// One expression: the value is its result.
    Expression(Expression),
    /// A map, keys as written.
    Map(Vec<(String, Self)>),
    /// A list.
    List(Vec<Self>),
}

/// A checked workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of the plan's own form.
    pub v: u32,
    /// Which definition this is.
    pub workflow: WorkflowName,
    /// The definition as parsed, for `$workflow.definition`.
    pub definition: Value,
    /// Input schema and transform.
    pub input: InputSpec,
    /// Output transform and schema.
    pub output: OutputSpec,
    /// Limit on the whole run.
    pub timeout: Option<Duration>,
    /// Gives the limit on the whole run, where it is not written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_from: Option<Expression>,
    /// The tasks.
    pub tasks: TaskList,
    /// Names of `use.secrets`.
    pub secrets: Vec<String>,
    /// Semantic digests of the adapter operations that the plan names.
    pub operations: BTreeMap<String, Digest>,
    /// What starts runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Where it stands in the project: it decides which integrations it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<WorkflowPlace>,
}

/// Version of the plan's form that this code writes.
pub const PLAN_VERSION: u32 = 1;

impl Plan {
    /// The digest that a run pins: SHA-256 of the canonical JSON of the plan.
    ///
    /// # Errors
    /// Where a literal holds a number without a canonical form.
    pub fn digest(&self) -> Result<Digest, canonical::Error> {
        canonical::digest(&self.to_json()?)
    }

    /// The plan as a JSON document.
    ///
    /// # Errors
    /// Where a value cannot be written as JSON.
    pub fn to_json(&self) -> Result<Value, canonical::Error> {
        serde_json::to_value(self)
            .map_err(|error| canonical::Error::NotJson { reason: error.to_string() })
    }

    /// `namespace/name`, the part of the workflow's name that versions share.
    pub fn family(&self) -> String {
        self.workflow.family()
    }

    /// The task at this path, if the plan has one there.
    pub fn task(&self, path: &TaskPath) -> Option<&Task> {
        fn find<'a>(list: &'a TaskList, path: &TaskPath) -> Option<&'a Task> {
            list.0.iter().find_map(|task| {
                if task.path == *path {
                    return Some(task);
                }
                let inside = path.as_str().strip_prefix(task.path.as_str())?.starts_with('/');
                inside.then(|| task.kind.lists().into_iter().find_map(|list| find(list, path)))?
            })
        }
        find(&self.tasks, path)
    }
}

/// Tasks in written order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskList(pub Vec<Task>);

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name in the list.
    pub name: String,
    /// Where it stands.
    pub path: TaskPath,
    /// The task as parsed, for `$task.definition`.
    pub definition: Value,
    /// `if`.
    pub condition: Option<Expression>,
    /// Input schema and transform.
    pub input: InputSpec,
    /// Output transform and schema.
    pub output: OutputSpec,
    /// Context transform and schema.
    pub export: OutputSpec,
    /// Limit on the whole task, transforms and approval wait included.
    pub timeout: Option<Duration>,
    /// Gives that limit, where it is not written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_from: Option<Expression>,
    /// What follows.
    pub then: Directive,
    /// What it does.
    pub kind: TaskKind,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// A list of tasks.
    Do(TaskList),
    /// Sets the output.
    Set(Template),
    /// Calls the outside.
    Call(Box<Call>),
    /// Chooses what follows.
    Switch(Vec<Case>),
    /// Waits for a time.
    Wait(DurationSpec),
    /// Runs a list and catches its faults.
    Try(Box<Try>),
    /// Runs a list once per item.
    For(Box<For>),
    /// Raises a fault.
    Raise(RaiseSpec),
    /// Runs branches side by side. This and what follows is parsed, and not performed yet.
    Fork(Box<Fork>),
    /// Waits for events.
    Listen(Box<Listen>),
    /// Sends an event.
    Emit(Box<Emit>),
    /// Runs another workflow.
    Run(Box<RunWorkflow>),
    /// Calls an operation of an `OpenAPI` document.
    #[serde(rename = "openapi")]
    OpenApi(Box<OpenApiCall>),
    /// Calls a function.
    Function(Box<FunctionCall>),
}

impl TaskKind {
    /// The task lists inside, in written order.
    pub fn lists(&self) -> Vec<&TaskList> {
        match self {
            Self::Do(list) => vec![list],
            Self::Try(inner) => {
                std::iter::once(&inner.tasks).chain(inner.catch.tasks.as_ref()).collect()
            }
            Self::For(inner) => vec![&inner.tasks],
            Self::Fork(inner) => vec![&inner.branches],
            Self::Function(call) => vec![&call.body],
            Self::Listen(inner) => {
                inner.each.iter().filter_map(|each| each.tasks.as_ref()).collect()
            }
            Self::Set(_)
            | Self::Call(_)
            | Self::Switch(_)
            | Self::Wait(_)
            | Self::Raise(_)
            | Self::Emit(_)
            | Self::Run(_)
            | Self::OpenApi(_) => vec![],
        }
    }

    /// The keyword in the document.
    pub const fn keyword(&self) -> &'static str {
        match self {
            Self::Do(_) => "do",
            Self::Set(_) => "set",
            Self::Call(_) | Self::OpenApi(_) | Self::Function(_) => "call",
            Self::Switch(_) => "switch",
            Self::Wait(_) => "wait",
            Self::Try(_) => "try",
            Self::For(_) => "for",
            Self::Raise(_) => "raise",
            Self::Fork(_) => "fork",
            Self::Listen(_) => "listen",
            Self::Emit(_) => "emit",
            Self::Run(_) => "run",
        }
    }
}

/// A duration: written out, or given by an expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DurationSpec {
    /// Written out.
    Fixed(Duration),
    /// An expression that gives an ISO 8601 string or a duration object.
    Expression(Expression),
}

/// Schema and transform of what comes in; the schema is checked first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// JSON Schema of the raw input.
    pub schema: Option<Value>,
    /// Transform.
    pub from: Option<Template>,
}

/// Transform and schema of what goes out; the transform is evaluated first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// Transform.
    #[serde(rename = "as")]
    pub transform: Option<Template>,
    /// JSON Schema of the transformed output.
    pub schema: Option<Value>,
}

impl OutputSpec {
    /// Whether nothing is transformed or checked.
    pub const fn is_plain(&self) -> bool {
        self.transform.is_none() && self.schema.is_none()
    }
}

/// What follows a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// The next task of the list.
    #[default]
    Continue,
    /// The list is complete.
    Exit,
    /// The run is complete.
    End,
    /// The task with this name and place in the same list.
    Goto {
        /// Name.
        task: String,
        /// Place in the list, from 0.
        index: u32,
    },
}

/// One case of a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name of the case.
    pub name: String,
    /// Condition; none is the default case.
    pub when: Option<Expression>,
    /// What follows when it is chosen.
    pub then: Directive,
}

/// A list whose faults may be caught.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// The list that may fault.
    pub tasks: TaskList,
    /// What is caught, and what is done about it.
    pub catch: Catch,
}

/// What is caught, and what is done about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catch {
    /// Static filter.
    pub errors: FaultFilter,
    /// Name of the variable that holds the error.
    #[serde(rename = "as")]
    pub variable: String,
    /// Caught only when this holds.
    pub when: Option<Expression>,
    /// Not caught when this holds.
    pub except_when: Option<Expression>,
    /// Runs when a fault was caught.
    pub tasks: Option<TaskList>,
    /// What follows after a caught fault; wins over the task's own.
    pub then: Option<Directive>,
    /// Tries again before anything else is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
}

/// A static filter on faults: every given key must be equal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultFilter {
    /// Type, through the aliases of the standard types.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Status.
    pub status: Option<u16>,
    /// Pointer of the raising task.
    pub instance: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Detail.
    pub detail: Option<String>,
}

/// A list that runs once per item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct For {
    /// Variable of the item.
    pub each: String,
    /// Variable of the index.
    pub at: String,
    /// The items; evaluated once.
    #[serde(rename = "in")]
    pub items: Template,
    /// Evaluated before each iteration; false stops.
    #[serde(rename = "while")]
    pub condition: Option<Expression>,
    /// The body.
    pub tasks: TaskList,
}

/// Branches that run side by side, each one task with the fork's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// In declared order, which is that of the output.
    pub branches: TaskList,
    /// Whether the first branch to complete is the output, and the others are cancelled.
    pub compete: bool,
}

/// The fault that a `raise` raises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaiseSpec {
    /// Type URI.
    #[serde(rename = "type")]
    pub kind: Template,
    /// Status.
    pub status: u16,
    /// Title.
    pub title: Option<Template>,
    /// Detail.
    pub detail: Option<Template>,
}

/// A call of the outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The adapter operation, `provider.resource.operation`; `http.request` for `call: http`.
    pub operation: String,
    /// Name of the integration; none is the provider's default one.
    pub integration: Option<String>,
    /// The operation's input.
    pub with: Template,
    /// Authentication of a `call: http` endpoint.
    pub authentication: Option<Authentication>,
    /// What the author asks of the approval; can only tighten.
    pub approval: Option<ApprovalMetadata>,
}

/// Authentication of an HTTP endpoint; the values are named holes, never text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// `Authorization: Basic`, from two secrets.
    Basic {
        /// Secret that holds the user name.
        username: String,
        /// Secret that holds the password.
        password: String,
    },
    /// `Authorization: Bearer`, from one secret.
    Bearer {
        /// Secret that holds the token.
        token: String,
    },
    /// A token from an authorization server with known endpoints.
    #[serde(rename = "oauth2")]
    OAuth2(Box<OAuth2>),
    /// A token from a server that describes itself under `/.well-known/openid-configuration`.
    Oidc(Box<OAuth2>),
    /// All of it in one secret.
    Stored {
        /// `basic`, `oauth2` or `oidc`.
        scheme: String,
        /// The secret that holds it.
        secret: String,
    },
}
