//! The two verifiers that are not ours: the Go program of `tests/foreign` over Debian's sumdb packages, and `tlog-tiles`
//! from `PyPI`. `./tests/run` installs both; a test that finds none says *skipped*, in CI that is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) struct Foreign {
    go: PathBuf,
    tiles: PathBuf,
}

impl Foreign {
    pub(super) fn find(test: &str) -> Option<Self> {
        let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let found = named("PLACET_TEST_GO_VERIFY").zip(named("PLACET_TEST_TLOG_TILES"));
        if found.is_none() {
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{test}: CI must have them"
            );
            eprintln!("skipped in part: {test} (no foreign verifiers; ./tests/run installs them)");
        }
        found.map(|(go, tiles)| Self { go, tiles })
    }

    /// Tree, every tile, every body, every sealed payload, and who has signed.
    pub(super) fn export(&self, dir: &Path, keys: &[&str]) -> Result<String, String> {
        run(Command::new(&self.go).arg("export").arg(dir).args(keys))
    }

    pub(super) fn receipt(&self, file: &Path, key: &str) -> Result<String, String> {
        run(Command::new(&self.go).arg("receipt").arg(file).arg(key))
    }

    /// Whether the entry is in the tree of the checkpoint, whoever has signed that.
    pub(super) fn leaf(&self, dir: &Path, index: u64) -> Result<String, String> {
        run(Command::new(&self.tiles).args(["get-leaf", "-c"]).arg(dir).arg(index.to_string()))
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().expect("the verifier can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
