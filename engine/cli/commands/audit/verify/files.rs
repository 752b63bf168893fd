//! Exports and receipts: files that say everything themselves.

use super::asked::signed;
use super::story;
use placet_executor::public::render;
use placet_log::checkpoint::Attested;
use placet_log::export::{self, Asked, Finding};
use placet_log::receipt;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) fn export(dir: &Path, asked: &Asked) -> Value {
    match export::verify(dir, asked, &render) {
        Err(finding) => found(dir, &finding),
        Ok(report) => {
            let mut notes = signed(&report.attested);
            if report.attested.key.is_none()
                && let Ok(key) = std::fs::read_to_string(dir.join("key"))
            {
                let key = key.trim_end();
                notes.push(format!(
                    "the export says that its key is {key}; whoever forges an export forges that too"
                ));
            }
            if report.plain > 0 {
                notes.push(format!("{} payloads stand in the clear, and fit", report.plain));
            }
            json!({
                "ok": true,
                "origin": report.attested.checkpoint.origin,
                "events": report.events,
                "payloads": report.payloads,
                "plain": report.plain,
                "erased": report.erased,
                "signatures": report.signatures,
                "root": report.attested.checkpoint.root,
                "signed_by": signers(&report.attested),
                "notes": notes,
            })
        }
    }
}

pub(super) fn receipt(file: &Path, text: &str, asked: &Asked) -> Value {
    match receipt::verify(text, asked, &render) {
        Err(finding) => {
            found(file.parent().unwrap_or(file), &Finding { file: name(file), ..finding })
        }
        Ok(proven) => json!({
            "ok": true,
            "decision": proven.decision,
            "origin": proven.attested.checkpoint.origin,
            "events": proven.events.len(),
            "size": proven.attested.checkpoint.size,
            "root": proven.attested.checkpoint.root,
            "signed_by": signers(&proven.attested),
            "story": story::tell(&proven),
            "notes": signed(&proven.attested),
        }),
    }
}

fn name(file: &Path) -> PathBuf {
    file.file_name().map(PathBuf::from).unwrap_or_default()
}

fn signers(attested: &Attested) -> Value {
    let witnesses = attested.witnesses.iter().map(|(name, _)| name);
    json!({
        "key": attested.key.as_ref().map(ToString::to_string),
        "witnesses": witnesses.collect::<Vec<_>>(),
    })
}

fn found(path: &Path, finding: &Finding) -> Value {
    json!({
        "ok": false,
        "code": "PL1203",
        "position": finding.position,
        "last": finding.last,
        "file": finding.file,
        "detail": format!("{}: {}", path.join(&finding.file).display(), finding.what),
    })
}
