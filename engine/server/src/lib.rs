//! HTTP API and login.
