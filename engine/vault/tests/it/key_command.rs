//! Keys that a command keeps: what it is asked, what is kept of it, and every way in which it fails.
#![cfg(unix)]

use crate::support::{Install, fields, integration, read, told};
use placet_vault::{Error, KekSource, KeyCommand, KeySupply, Vault};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A KMS of a few lines: what it has wrapped it keeps under a number, and gives for that number.
const KMS: &str = r#"
set -eu
echo "chatter about $1" >&2
case "$2" in
  wrap) n=$(ls "$1" | wc -l); cat > "$1/$n"; printf 'wrapped %s' "$n" ;;
  unwrap) read -r _ n || true; cat "$1/$n"; echo "$n" >> "$1.asked" ;;
esac
"#;

struct Kms {
    install: Install,
    kept: PathBuf,
}

impl Kms {
    fn new() -> Self {
        let install = Install::new();
        let kept = install.key_dir().with_file_name("kms");
        std::fs::create_dir_all(&kept).unwrap();
        Self { install, kept }
    }

    /// With a command that ends by itself, however long the machine takes.
    fn open(&self, script: &str) -> Result<Vault, Error> {
        self.open_within(Duration::from_mins(1), script)
    }

    fn open_within(&self, time: Duration, script: &str) -> Result<Vault, Error> {
        let words = ["sh", "-c", script, "kms", self.kept.to_str().unwrap()];
        let command = KeyCommand::new(words.map(str::to_owned).into()).unwrap();
        let supply = KeySupply::Command(command.within(time));
        let directory = self.install.key_dir();
        self.install.try_open_with(KekSource::Outside { directory, supply })
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.install.key_dir()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn holds(path: &Path, text: &str) -> bool {
    std::fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_key_that_a_command_keeps_is_on_our_disk_only_as_it_has_wrapped_it() {
    let kms = Kms::new();
    let vault = kms.open(KMS).unwrap();
    vault.store(integration(1), 1, &fields([("api_key", "secret")])).unwrap();
    let key = std::fs::read_to_string(kms.kept.join("0")).unwrap();
    assert_eq!(key.trim_end().len(), 64, "it is asked to wrap 64 digits");
    let files = kms.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(std::fs::read(&files[0]).unwrap(), b"wrapped 0", "byte for byte");
    drop(vault);
    assert!(!holds(&kms.install.vault_file(), key.trim_end()));
    // and it is asked again by every start
    assert_eq!(read(&kms.open(KMS).unwrap(), (integration(1), 1, "api_key")), "secret");
    let vault = kms.open(KMS).unwrap();
    let before = vault.sealing().unwrap().key;
    assert_ne!(vault.rotate(&placet_model::Actor::Engine, &mut |_| {}).unwrap().key, before);
    drop(vault);
    assert_eq!(kms.files().len(), 2);
    assert_eq!(read(&kms.open(KMS).unwrap(), (integration(1), 1, "api_key")), "secret");
    let without = kms.install.try_open().unwrap_err();
    assert!(matches!(without, Error::KeyFileMissing { .. }), "{without}");
}

#[test]
fn a_vault_goes_from_a_key_file_to_a_command() {
    let kms = Kms::new();
    kms.install.open().store(integration(1), 1, &fields([("api_key", "secret")])).unwrap();
    let vault = kms.open(KMS).unwrap();
    vault.rotate(&placet_model::Actor::Engine, &mut |_| {}).unwrap();
    drop(vault);
    std::fs::remove_file(kms.install.key_file()).unwrap();
    assert_eq!(read(&kms.open(KMS).unwrap(), (integration(1), 1, "api_key")), "secret");
}

#[test]
fn a_command_that_fails_in_any_way_is_told_in_words_without_what_it_said() {
    let kms = Kms::new();
    let vault = kms.open(KMS).unwrap();
    vault.store(integration(1), 1, &fields([("api_key", "secret")])).unwrap();
    drop(vault);
    let key = std::fs::read_to_string(kms.kept.join("0")).unwrap();
    let key = key.trim_end();
    let cases = [
        ("it ends with 3", format!("echo {key}; echo {key} >&2; exit 3"), "exit status: 3"),
        ("no key", "echo no key".to_owned(), "no key"),
        ("nothing", "true".to_owned(), "no key"),
        ("half of it", format!("echo {}", &key[..32]), "no key"),
        ("too much", "head -c 17000 /dev/zero".to_owned(), "more than 16 KiB"),
        ("another key", format!("echo {}", "ab".repeat(32)), "another key than was wrapped"),
        (
            "its output stays open",
            format!("echo {key}; sleep 120 & exit 0"),
            "left its output open",
        ),
    ];
    for (what, script, words) in cases {
        // only the last one is waited for to the end; by then it has ended itself
        let refused = kms.open_within(Duration::from_secs(10), &script).unwrap_err();
        let told = told(&refused);
        assert!(told.contains(words), "{what}: {told}");
        assert!(!told.contains(&key[..16]), "{what}: {told}");
        assert_eq!(refused.code(), Some("PL4051"), "{what}");
    }
    assert_eq!(read(&kms.open(KMS).unwrap(), (integration(1), 1, "api_key")), "secret");
}

#[test]
fn a_command_that_does_not_answer_in_time_is_ended() {
    let kms = Kms::new();
    let began = Instant::now();
    let refused = kms.open_within(Duration::from_secs(1), "exec sleep 120").unwrap_err();
    assert!(refused.to_string().contains("within 1000 ms"), "{refused}");
    assert!(began.elapsed() < Duration::from_mins(1), "it was not waited for to its own end");
    assert!(!kms.install.vault_file().exists(), "nothing was made");
    let command =
        KeyCommand::new(vec!["/no/such/program".to_owned(), "s3cret-argument".to_owned()]);
    let supply = KeySupply::Command(command.unwrap());
    assert!(!format!("{supply:?}").contains("s3cret"));
    let directory = kms.install.key_dir();
    let refused = kms.install.try_open_with(KekSource::Outside { directory, supply }).unwrap_err();
    assert!(matches!(refused, Error::KeyCommandStart { .. }) && !told(&refused).contains("s3cret"));
}

#[test]
fn a_command_that_cannot_give_back_what_it_wrapped_seals_nothing() {
    let kms = Kms::new();
    kms.install.open().store(integration(1), 1, &fields([("api_key", "secret")])).unwrap();
    let forgets = format!(
        "case \"$2\" in wrap) cat > /dev/null; echo x;; *) echo {};; esac",
        "ab".repeat(32)
    );
    let vault = kms.open(&forgets).unwrap();
    let refused = vault.rotate(&placet_model::Actor::Engine, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, Error::KeyCommandWrong { .. }), "{refused}");
    drop(vault);
    assert_eq!(read(&kms.install.open(), (integration(1), 1, "api_key")), "secret");
}
