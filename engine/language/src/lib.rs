//! The workflow language: YAML text to a plan and diagnostics; expressions; policy files.
