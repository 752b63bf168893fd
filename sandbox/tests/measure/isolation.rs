//! M9: the program itself, watched: every operation of every provider, and no connect. It takes a built `placet`
//! and strace; where the kernel allows it, the program has no network either.

use crate::every;
use crate::measure::{Figure, Verdict};
use placet_adapters::Adapters;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const OF: (&str, &str) = ("M9", "isolation");
const BOUND: &str = "0 connects outside of files";
/// Names the program to watch; without it, it is the one that was built beside this one.
const PROGRAM: &str = "PLACET";

pub(crate) fn m9_isolation() -> Figure {
    let Some(program) = program() else {
        let why =
            "no `placet` was built beside this: `cargo build --release`, or name one in PLACET";
        return Figure::skipped(OF, BOUND, why);
    };
    let Some(strace) = found_in_path("strace") else {
        return Figure::skipped(OF, BOUND, "there is no strace");
    };
    let dir = std::env::temp_dir().join(format!("placet-measure-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let figure = watched(&dir, &program, &strace);
    std::fs::remove_dir_all(&dir).unwrap();
    figure
}

fn watched(dir: &Path, program: &Path, strace: &Path) -> Figure {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let inputs = every::inputs(&Adapters::shipped(), &fixtures);
    std::fs::write(dir.join("all.yaml"), every::workflow(&inputs).to_string()).unwrap();
    let shut = shut();
    let mut command = match shut {
        [] => Command::new(strace),
        [unshare, words @ ..] => {
            let mut command = Command::new(unshare);
            command.args(words).arg(strace);
            command
        }
    };
    command.args(["-f", "-qq", "-e", "trace=connect", "-o", "connects.log"]).arg(program);
    command.args(["run", "all.yaml", "--input", "{}", "--approve", "auto", "--json"]);
    for place in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "PLACET_KEY_DIR"] {
        command.env(place, dir);
    }
    let done = command.current_dir(dir).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    let report: Value =
        text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let (well, mut faults) = every::called(&report, &inputs);
    let log = std::fs::read_to_string(dir.join("connects.log")).unwrap_or_default();
    let connects: Vec<&str> = log.lines().filter(|line| line.contains("AF_INET")).collect();
    let count = connects.len();
    faults.extend(connects);
    let words = String::from_utf8_lossy(&done.stderr);
    if well != inputs.len() {
        faults.extend(words.lines());
    }
    let faults: Vec<String> = faults.into_iter().map(str::to_owned).collect();
    let network = if shut.is_empty() { "" } else { ", in a namespace without a network" };
    Figure {
        id: OF.0,
        of: OF.1,
        found: format!("{count} connects of {well} of {} operations{network}", inputs.len()),
        bound: BOUND,
        verdict: Verdict::of(count == 0 && well == inputs.len()),
        notes: vec![],
    }
    .with_faults(&faults)
}

/// Built by the same profile, if it was: `target/PROFILE/deps/measures-…` is this, `target/PROFILE/placet` that.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(PROGRAM) {
        return Some(PathBuf::from(named));
    }
    let own = std::env::current_exe().ok()?;
    let beside = own.ancestors().nth(2)?.join("placet");
    beside.is_file().then_some(beside)
}

fn found_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|at| at.is_file())
}

/// The words before a command that leave it no network; none where the kernel allows no namespace.
fn shut() -> &'static [&'static str] {
    const WAYS: [&[&str]; 2] = [&["unshare", "-rn"], &["unshare", "-n"]];
    let allowed = |words: &&[&str]| {
        let tried =
            Command::new(words[0]).args(&words[1..]).arg("true").stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    WAYS.into_iter().find(allowed).unwrap_or(&[])
}
