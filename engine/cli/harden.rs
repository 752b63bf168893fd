//! What the operating system may make of our memory: no core dump, and on Linux nothing that another
//! process of the same user could read. Keys and credentials are in it.

/// Before anything secret is in memory. A system that refuses is told in a warning.
pub(crate) fn against_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        if let Err(error) = setrlimit(Resource::Core, none) {
            tracing::warn!(%error, "a crash may write memory to disk: the core limit cannot be set");
        }
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::warn!(%error, "processes of the same user may read this one's memory");
        }
    }
}
