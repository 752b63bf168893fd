//! Where the key of the vault comes from: the key directory, unless the environment says otherwise.

use crate::env;
use crate::exit::invalid;
use anyhow::Result;
use placet_adapters::SecretText;
use placet_vault::{KekSource, KeyCommand, KeySupply};
use std::path::PathBuf;

/// The source that the environment names; `directory` is where our own keys are kept.
pub(crate) fn source(directory: PathBuf) -> Result<KekSource> {
    let text = env::of(env::VAULT_KEY).map(SecretText::new);
    let file = env::of(env::VAULT_KEY_FILE).map(PathBuf::from);
    let command = env::of(env::VAULT_KEY_COMMAND);
    let supply = match (text, file, command) {
        (None, None, None) => return Ok(KekSource::Directory(directory)),
        (Some(key), None, None) => {
            KeySupply::Text { key, old: env::of(env::VAULT_KEY_OLD).map(SecretText::new) }
        }
        (None, Some(path), None) => {
            KeySupply::File { path, old: env::of(env::VAULT_KEY_FILE_OLD).map(PathBuf::from) }
        }
        (None, None, Some(words)) => KeySupply::Command(parsed(&words)?),
        (Some(_), ..) | (_, Some(_), _) => {
            return Err(invalid(format!(
                "the vault has one key: of {}, {} and {} only one may be set",
                env::VAULT_KEY,
                env::VAULT_KEY_FILE,
                env::VAULT_KEY_COMMAND
            )));
        }
    };
    Ok(KekSource::Outside { directory, supply })
}

fn parsed(words: &str) -> Result<KeyCommand> {
    // what stands there is not repeated: somebody may have put a secret into it
    let list: Option<Vec<String>> = serde_json::from_str(words).ok();
    list.and_then(KeyCommand::new).ok_or_else(|| {
        let name = env::VAULT_KEY_COMMAND;
        invalid(format!("{name} is a JSON list of words, as [\"/usr/local/bin/kms\", \"placet\"]"))
    })
}
