//! Attempts: from an approved draft to a known outcome.

use crate::wire::wire_enum;

wire_enum! {
    /// Why a try was put off: each is a proven "nothing happened".
    DeferReason {
        /// The provider said to wait.
        RateLimited = 1 "rate_limited",
        /// The connection never came up.
        Connect = 2 "connect",
        /// It failed before the first byte of the request.
        BeforeSend = 3 "before_send",
        /// The provider says that it did not process the call.
        NotProcessed = 4 "not_processed",
        /// The engine stopped during an ungated read, which may be read again.
        Restart = 5 "restart",
        /// The host's address could not be had.
        Resolve = 6 "resolve",
        /// The TLS handshake came to nothing.
        Tls = 7 "tls",
        /// Its turn at this host did not come in time.
        Queue = 8 "queue",
    }
}

wire_enum! {
    /// Why nobody knows whether it was sent.
    Evidence {
        /// The engine stopped between the record and the result.
        Restart = 1 "restart",
        /// No answer in time, after bytes had left.
        Timeout = 2 "timeout",
        /// The connection broke after bytes had left.
        Reset = 3 "reset",
        /// The provider failed (5xx) or said something unknown.
        Answer = 4 "answer",
        /// The call would have started after its lease.
        LeaseExpired = 5 "lease_expired",
        /// The result could not be recorded.
        CommitUnknown = 6 "commit_unknown",
        /// The same bytes went again, and what they are a condition on has moved on since: by the try
        /// before it, or by somebody else.
        MovedOn = 7 "moved_on",
        /// The provider has it, and has not said yet how it ends.
        NotFinal = 8 "not_final",
    }
}

wire_enum! {
    /// Why a call was refused for good.
    RefuseReason {
        /// The provider refuses these bytes.
        Permanent = 1 "permanent",
        /// A quota is used up.
        Quota = 2 "quota",
        /// The credential was refused; nothing was sent.
        Reconnect = 3 "reconnect",
        /// Put off until the approval's end.
        Exhausted = 4 "exhausted",
        /// The answer does not match the operation's schema.
        Unreadable = 5 "unreadable",
    }
}
