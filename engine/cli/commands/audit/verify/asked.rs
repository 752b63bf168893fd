//! What the reader brings along: keys, witnesses, an older checkpoint. And what is said about it.

use super::Args;
use crate::exit::invalid;
use crate::witnesses::key as key_of;
use anyhow::Result;
use placet_log::checkpoint::{Attested, Trust};
use placet_log::export::Asked;
use placet_log::note::{KeyKind, Note};
use placet_model::Timestamp;
use std::fs;

pub(super) fn of(args: &Args) -> Result<Asked> {
    let key = args.key.as_deref().map(|text| key_of(text, KeyKind::Log)).transpose()?;
    let witnesses = args.witness.iter().map(|text| key_of(text, KeyKind::Witness));
    let trust = Trust { key, witnesses: witnesses.collect::<Result<_>>()?, min: args.min };
    let older = args.older.as_deref().map(|file| {
        let no = |why: &dyn std::fmt::Display| {
            invalid(format!("--older: {} is no checkpoint: {why}", file.display()))
        };
        let text = fs::read_to_string(file).map_err(|error| no(&error))?;
        let note: Note = text.parse().map_err(|error| no(&error))?;
        // one that the log's key has not signed says nothing about the log
        let kept = Trust { witnesses: vec![], min: None, ..trust.clone() };
        Ok::<_, anyhow::Error>(kept.check(&note).map_err(|error| no(&error))?.checkpoint)
    });
    Ok(Asked { older: older.transpose()?, trust })
}

/// Who has signed, in words.
pub(super) fn signed(attested: &Attested) -> Vec<String> {
    let checkpoint = &attested.checkpoint;
    let head = format!("the checkpoint of {} events", checkpoint.size);
    let mut notes = vec![match &attested.key {
        Some(key) => format!("{head} is signed with the key of {} that was given", key.name()),
        None => format!(
            "who signed {head} was not checked: give the log's key with --key, and take it from \
             somewhere else than from here (`placet audit checkpoint --key` prints it)"
        ),
    }];
    for (name, seconds) in &attested.witnesses {
        let millis = i64::try_from(*seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let time = Timestamp::from_millis(millis);
        notes.push(format!("{name} has witnessed it, at {time} by its own clock"));
    }
    notes
}
