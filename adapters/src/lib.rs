//! Provider manifests as data; render, classify, verify, correlate; the Transport trait.
