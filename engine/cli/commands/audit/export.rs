//! `placet audit export`: the log as files that tools of others verify. Appends nothing.

use crate::compose::{self, Place};
use crate::exit::{Exit, invalid};
use crate::link::{Found, Link};
use crate::out;
use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_executor::public::render;
use placet_log::OpenedPayload;
use placet_log::Payload;
use placet_log::export::{Content, Entry, Exported, Exporter};
use placet_log::note::{Note, VerifierKey};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A directory that is new or empty
    dir: PathBuf,
    /// Content in the clear too: who can read the directory can read it
    #[arg(long)]
    plain: bool,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(found: &Found, args: &Args) -> Result<Exit> {
    let content = if args.plain { Content::Plain } else { Content::Sealed };
    let exported = match found {
        Found::Engine(link) => {
            out::with_progress("exporting the log", remote(link, &args.dir, content)).await?
        }
        Found::Data(data, project) => {
            let log = compose::open_log_of(project, &Place::to_read(data))?;
            let view = log.read()?;
            let (note, _) = log.evidence(&view)?;
            let key = log.signer()?.verifier().clone();
            let write =
                async { view.export(&args.dir, content, &render, (&note, &key)).map_err(told) };
            out::with_progress("exporting the log", write).await?
        }
    };
    let Exported { events, payloads, plain, erased } = exported;
    if args.json {
        let counts =
            json!({ "events": events, "payloads": payloads, "plain": plain, "erased": erased });
        out::json(&counts)?;
    } else {
        let dir = args.dir.display();
        let words = format!(
            "{events} events, {payloads} payloads ({plain} in the clear, {erased} erased) in {dir}; check it with\n  \
             placet audit verify {dir} --key KEY   (KEY: placet audit checkpoint --key)"
        );
        out::data(&words)?;
    }
    Ok(Exit::Done)
}

/// A directory that cannot be taken is the reader's to change.
fn told(error: placet_log::Error) -> anyhow::Error {
    match error {
        placet_log::Error::NotEmpty { .. } => invalid(error.to_string()),
        error => error.into(),
    }
}

/// Records come page by page; the tree is built here, so what comes must be what was signed.
async fn remote(link: &Link, dir: &Path, content: Content) -> Result<Exported> {
    let mut exporter = Exporter::create(dir, &render).map_err(told)?;
    let head = link.post("/api/v1/audit/head", &json!({})).await?;
    let note: Note = head["checkpoint"].as_str().unwrap_or_default().parse()?;
    let key: VerifierKey = head["key"].as_str().unwrap_or_default().parse()?;
    let until =
        head["size"].as_u64().context("the engine does not say how many events there are")?;
    let word = if content == Content::Plain { "plain" } else { "sealed" };
    let mut after = Some(0);
    while let Some(from) = after.filter(|from| *from < until) {
        let path = format!("/api/v1/audit/records?after={from}&until={until}&content={word}");
        let page = link.get(&path).await?;
        for record in page["records"].as_array().into_iter().flatten() {
            let entry = entry(record).context("the engine's records cannot be read")?;
            exporter.add(&entry)?;
        }
        let next = page["next"].as_u64();
        ensure!(next.is_none_or(|next| next > from), "the engine's pages of records lead nowhere");
        after = next;
    }
    Ok(exporter.finish(&note, &key)?)
}

fn entry(record: &Value) -> Option<Entry> {
    let bytes = |value: &Value| value.as_str().and_then(|text| STANDARD.decode(text).ok());
    let plain = |value: &Value| {
        let salt = bytes(&value["salt"])?.try_into().ok()?;
        Some(OpenedPayload { payload: Payload::from(bytes(&value["bytes"])?), salt })
    };
    Some(Entry {
        leaf: bytes(&record["leaf"])?,
        body: bytes(&record["body"])?,
        sealed: all(&record["sealed"], bytes)?,
        plain: all(&record["plain"], plain)?,
    })
}

/// Null says that it was erased, or not asked for; what cannot be read says nothing of the kind.
fn all<T>(list: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<Option<T>>> {
    let one = |value: &Value| if value.is_null() { Some(None) } else { read(value).map(Some) };
    list.as_array()?.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::entry;
    use serde_json::json;

    #[test]
    fn content_that_cannot_be_read_is_not_taken_for_erased() {
        let record = |sealed| json!({ "leaf": "AA==", "body": "", "sealed": sealed, "plain": [] });
        let erased = entry(&record(json!([null, "AQI="]))).unwrap();
        assert_eq!(erased.sealed, [None, Some(vec![1, 2])]);
        for bad in [json!(["no base64"]), json!([7]), json!(null)] {
            assert!(entry(&record(bad.clone())).is_none(), "{bad}");
        }
    }
}
