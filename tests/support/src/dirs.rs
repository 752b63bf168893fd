//! A temporary project directory with a key directory and a state directory of its own, removed on drop.

use std::fs;
use std::path::{Path, PathBuf};

/// Copies a directory with all that is in it.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a fresh directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        if path.is_dir() {
            copy_dir(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).expect("a file can be copied");
        }
    }
}

/// A project on disk: `DIR/placet.toml`, `DIR/policy.yaml`, `DIR/workflows/` …, with keys and state beside it.
#[derive(Debug)]
pub struct Project {
    root: tempfile::TempDir,
}

impl Project {
    /// An empty project.
    pub fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("placet-test-")
            .tempdir()
            .expect("a temporary directory");
        for part in ["project", "keys", "state", "home"] {
            fs::create_dir(root.path().join(part)).expect("a fresh directory can be filled");
        }
        Self { root }
    }

    /// Writes one file of the project, creating its folders.
    #[must_use]
    pub fn with(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Writes `workflows/<name>.yaml`.
    #[must_use]
    pub fn with_workflow(self, name: &str, text: &str) -> Self {
        self.with(&format!("workflows/{name}.yaml"), text)
    }

    /// Writes one file of the project, replacing what is there.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let full = self.dir().join(path);
        fs::create_dir_all(full.parent().expect("a file has a folder"))
            .expect("project folders can be made");
        fs::write(&full, text).expect("project files can be written");
        full
    }

    /// The project directory.
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// The engine's data inside the project.
    pub fn data(&self) -> PathBuf {
        self.dir().join(".placet")
    }

    /// What a `placet` process needs so that it touches nothing of the person who runs the tests.
    pub fn env(&self) -> Vec<(String, PathBuf)> {
        let at = |part: &str| self.root.path().join(part);
        vec![
            ("PLACET_KEY_DIR".to_owned(), at("keys")),
            ("XDG_STATE_HOME".to_owned(), at("state")),
            ("HOME".to_owned(), at("home")),
        ]
    }
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}

/// A file or folder of the repository's `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(path)
}

/// Every file below a folder of `fixtures/` with this extension, sorted by path.
pub fn fixtures(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![fixture(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the fixture folder is there") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{extension} below fixtures/{folder}");
    found
}
