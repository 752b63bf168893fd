//! The repository's own files, read once per test: no build output, no hidden folders but ours.

use std::fs;
use std::path::{Path, PathBuf};

/// One text file.
pub(super) struct Source {
    /// Path from the repository's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// Tests and the test kit; the rest is the product.
    pub(super) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// The lines that only tests are built from, with their numbers: all of a test file, else what follows
    /// `#[cfg(test)]`.
    pub(super) fn lines_of_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut inside = self.is_test();
        self.numbered().filter(move |(_, line)| {
            inside |= line.trim_start().starts_with("#[cfg(test)]");
            inside
        })
    }

    /// Lines with numbers from 1.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Rust sources of the product, its tests and benches.
pub(super) fn rust() -> Vec<Source> {
    read(is_rust)
}

pub(super) fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Every committed text file except the lock file, which cargo writes.
pub(super) fn texts() -> Vec<Source> {
    read(|path| path != "Cargo.lock")
}

fn read(wanted: impl Fn(&str) -> bool) -> Vec<Source> {
    let mut sources = Vec::new();
    for path in files() {
        let name = path.strip_prefix(root()).expect("files are below the root");
        let name = name.to_str().expect("paths are UTF-8").replace('\\', "/");
        if wanted(&name)
            && let Ok(text) = fs::read_to_string(&path)
        {
            sources.push(Source { path: name, text });
        }
    }
    assert!(!sources.is_empty(), "nothing was read: the rule would hold of anything");
    sources
}

/// Every file below the root that is ours, sorted.
pub(super) fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the repository can be read") {
            let path = entry.expect("the repository can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let hidden = name.starts_with('.') && ![".ci", ".config", ".gitignore"].contains(&name);
            if hidden || name == "target" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Panics with all findings, one per line, unless there are none.
pub(super) fn nothing_of(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}
