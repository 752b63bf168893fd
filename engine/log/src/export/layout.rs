//! Where the files of an export stand (C2SP tlog-tiles), for a tree of a given size.

use crate::Error;
use crate::note::VerifierKey;
use std::path::{Path, PathBuf};

/// Entries of a bundle, hashes of a tile.
pub(crate) const WIDTH: u64 = 256;
/// Levels of the tree that one tile spans.
pub(crate) const HEIGHT: u8 = 8;

pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const KEY: &str = "key";
pub(crate) const EVENTS: &str = "events.jsonl";
pub(crate) const SEALED: &str = "payloads";
pub(crate) const PLAIN: &str = "payloads.plain";
pub(crate) const TILES: &str = "tile";

/// Which file of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entries,
    Hashes { level: u8 },
}

/// How many hashes stand at a level of tiles: each covers 256 of the level below.
pub(crate) const fn count_at(size: u64, level: u8) -> u64 {
    let shift = HEIGHT as u32 * level as u32;
    if shift >= u64::BITS { 0 } else { size >> shift }
}

/// Levels of tiles that a tree of this size has.
pub(crate) fn levels(size: u64) -> impl Iterator<Item = u8> {
    (0..HEIGHT).take_while(move |level| count_at(size, *level) > 0)
}

/// Name of the `number`-th tile, of which `width` of 256 are there.
pub(crate) fn tile(kind: Kind, number: u64, width: u64) -> PathBuf {
    let mut path = PathBuf::from(TILES);
    match kind {
        Kind::Entries => path.push("entries"),
        Kind::Hashes { level } => path.push(level.to_string()),
    }
    let mut groups = vec![format!("{:03}", number % 1000)];
    let mut rest = number / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    path.extend(groups.iter().rev());
    if width < WIDTH {
        let mut name = path.into_os_string();
        name.push(".p");
        path = PathBuf::from(name).join(width.to_string());
    }
    path
}

/// Tiles of one kind, with the width of each, that hold `count` of something.
pub(crate) fn tiles(count: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..count.div_ceil(WIDTH)).map(move |number| (number, width_of(count, number)))
}

/// How many of `count` are in the `number`-th tile.
pub(crate) const fn width_of(count: u64, number: u64) -> u64 {
    let rest = count.saturating_sub(number * WIDTH);
    if rest < WIDTH { rest } else { WIDTH }
}

pub(crate) fn io<'p>(
    doing: &'static str,
    path: &'p Path,
) -> impl Fn(std::io::Error) -> Error + use<'p> {
    move |source| Error::Io { doing, path: path.to_owned(), source }
}

pub(crate) fn readme(size: u64, key: &VerifierKey) -> String {
    let origin = key.name();
    format!(
        "This is an export of the log {origin}: its first {size} events.

What is in it
  checkpoint       the signed head of the log: size and root of the tree, and who has signed it
  key              the log's public key, for convenience. Whoever could forge the checkpoint could
                   forge this file too: take the key from somewhere else, and keep it.
  tile/entries     one entry for each event: its header, with the SHA-256 of its body and of its
                   payloads (256 entries to a file, each after its length as two bytes)
  tile/0, 1, ...   the hashes of the Merkle tree over the entries (RFC 6962, C2SP tlog-tiles)
  events.jsonl     every event as people read it; body_bytes is the body whose SHA-256 is in the
                   entry, and from which the rest of the line is made
  payloads         content as it is stored, sealed; the name is the SHA-256 that is in the entry
  payloads.plain   content in the clear, if it was asked for; SHA-256(\"placet-pt-v1\" | salt |
                   content) is in the entry

How to check it
  placet audit verify DIR --key KEY      everything: the tree, every tile, line and payload

and with tools that are not Placet's (they check entries, tree and signature):
  Go's golang.org/x/mod/sumdb/note and tlog (Debian: golang-golang-x-mod-dev). Rebuild the tree from
    the entries with tlog.StoredHashes and compare it with the tiles and the checkpoint; a reader of
    tiles alone (tlog.TileHashReader) may return tiles that it has not checked.
  tlog-tiles (Python: pip install tlog-scales)
    tlog-tiles get-leaf -c /abs/path/of/DIR 0

What it proves, and what it does not
  The events up to this size are those that the holder of the key has signed, in this order; none was
  changed, left out or put in since. It does not prove that the log ends here: events after the last
  checkpoint can be cut off unseen, unless a later checkpoint was kept elsewhere (--older). And who
  holds both the log and its key can write another history from the start: only checkpoints kept
  elsewhere, witnesses (--witness), and the approvers' own signatures tell that.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_named_as_the_standard_says() {
        let name = |kind, number, width| tile(kind, number, width).display().to_string();
        let hashes = |level| Kind::Hashes { level };
        assert_eq!(name(hashes(0), 0, 256), "tile/0/000");
        assert_eq!(name(hashes(3), 1_234_067, 256), "tile/3/x001/x234/067");
        assert_eq!(name(Kind::Entries, 273, 112), "tile/entries/273.p/112");
        assert_eq!(name(hashes(1), 1000, 1), "tile/1/x001/000.p/1");
    }

    #[test]
    fn a_tree_has_the_tiles_of_its_size() {
        // the example of the standard: 70,000 entries
        assert_eq!(levels(70_000).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(tiles(count_at(70_000, 0)).last(), Some((273, 112)));
        assert_eq!(tiles(count_at(70_000, 1)).collect::<Vec<_>>(), [(0, 256), (1, 17)]);
        assert_eq!(tiles(count_at(70_000, 2)).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!(tiles(count_at(256, 0)).collect::<Vec<_>>(), [(0, 256)]);
        assert_eq!(levels(0).count(), 0);
    }
}
