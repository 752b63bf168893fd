//! The words of a connection's life: `placet.v1.integrations.<user>.<word>`. The acts are the same as over HTTP;
//! here is only how they are called.

/// What operators ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// `{}` → `{integrations}`.
    List,
    /// `{name}` → the page of one.
    Show,
    /// `{name}` → what depends on it.
    Uses,
    /// `{name, provider, settings?, credential?, default?}` → its page.
    Connect,
    /// `{provider, name?, client, scopes?, …}` → the link on which a person gives the grant.
    Authorize,
    /// `{id}` of that link → whether the person is back.
    Stage,
    /// `{name}` → what its provider says of it.
    Test,
    /// `{name}` → `{id, name, status}`.
    Enable,
    /// As [`Word::Enable`].
    Disable,
    /// `{name, credential, account?}` → the version in force, and whose it is.
    Rotate,
    /// `{name, workstream?, space?, visibility?, agents?}` → the integration.
    Scope,
    /// `{name}` → what was read since the last time.
    Sync,
    /// `{name, on, base?, resource?}` → what stands at the provider; without `on` what is known of it.
    Hooks,
    /// `{name, event, state}` → what may start runs there; without any of it what may start runs anywhere.
    Triggers,
    /// `{name}` → the code that pairs it with whoever sends it to the provider.
    Pair,
    /// `{name, setting?, choose?}` → what can be chosen after the credential; with `choose` the integration.
    Complete,
    /// `{name}` → its status, and what has become of the credential.
    Disconnect,
}

impl Word {
    /// Every one.
    pub const ALL: [Self; 17] = [
        Self::List,
        Self::Show,
        Self::Uses,
        Self::Connect,
        Self::Authorize,
        Self::Stage,
        Self::Test,
        Self::Enable,
        Self::Disable,
        Self::Rotate,
        Self::Scope,
        Self::Sync,
        Self::Hooks,
        Self::Triggers,
        Self::Pair,
        Self::Complete,
        Self::Disconnect,
    ];

    /// As it stands in a subject.
    pub const fn text(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Show => "show",
            Self::Uses => "uses",
            Self::Connect => "connect",
            Self::Authorize => "authorize",
            Self::Stage => "stage",
            Self::Test => "test",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Rotate => "rotate",
            Self::Scope => "scope",
            Self::Sync => "sync",
            Self::Hooks => "hooks",
            Self::Triggers => "triggers",
            Self::Pair => "pair",
            Self::Complete => "complete",
            Self::Disconnect => "disconnect",
        }
    }

    /// Whether people who only look may use it.
    pub const fn is_reading(self) -> bool {
        matches!(self, Self::List | Self::Show | Self::Uses)
    }
}
