//! The live Transport: HTTP with SSRF defence, pools and limits; the only crate that names reqwest.
