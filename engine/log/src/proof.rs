//! Proofs over the tree (RFC 6962): that an entry is in it, and that one tree continues another.
//!
//! Pure arithmetic: whoever makes a proof yields the hashes of full subtrees, whoever checks one
//! needs nothing but the proof. A proof that is too long, too short or for another place never
//! passes.

use crate::checkpoint::{base64, decimal, digest};
use crate::note::{Note, NoteError};
use crate::tree::{Frontier, empty_root, node_hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_model::Digest;
use std::fmt;
use std::str::FromStr;

/// A proof has at most this many hashes.
pub const HASHES_MAX: usize = 64;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not lead to the root")]
pub struct Unproven;

/// The hashes from the leaf at `index` up to the root of a tree of `size` leaves.
///
/// # Errors
/// Whatever `node(level, index)` fails with.
pub fn inclusion<E>(
    size: u64,
    index: u64,
    node: &mut impl FnMut(u8, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    let (mut low, mut high) = (0, size);
    let mut down = vec![];
    while high - low > 1 {
        let split = low + half(high - low);
        if index < split {
            down.push(root_of(split, high, node)?);
            high = split;
        } else {
            down.push(root_of(low, split, node)?);
            low = split;
        }
    }
    down.reverse();
    Ok(down)
}

/// The hashes that show a tree of `new` leaves to continue that of the first `old` of them.
///
/// # Errors
/// Whatever `node(level, index)` fails with.
pub fn consistency<E>(
    old: u64,
    new: u64,
    node: &mut impl FnMut(u8, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    if old == 0 || old >= new {
        return Ok(vec![]);
    }
    let (mut low, mut high) = (0, new);
    let mut down = vec![];
    while high > old {
        let split = low + half(high - low);
        if old <= split {
            down.push(root_of(split, high, node)?);
            high = split;
        } else {
            down.push(root_of(low, split, node)?);
            low = split;
        }
    }
    // a subtree that is the whole old tree needs no saying: its root is known
    if low > 0 {
        down.push(root_of(low, high, node)?);
    }
    down.reverse();
    Ok(down)
}

/// Checks that `leaf` stands at `index` of the tree of `size` leaves with this root.
///
/// # Errors
/// [`Unproven`].
pub fn check_inclusion(
    (size, root): (u64, &Digest),
    (index, leaf): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), Unproven> {
    if index >= size {
        return Err(Unproven);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(Unproven);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(Unproven) }
}

/// Checks that the tree `new` continues the tree `old`, each given as size and root.
///
/// # Errors
/// [`Unproven`].
pub fn check_consistency(
    (old, old_root): (u64, &Digest),
    (new, new_root): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), Unproven> {
    let sure = |good: bool| if good { Ok(()) } else { Err(Unproven) };
    if old == 0 {
        return sure(proof.is_empty() && *old_root == empty_root());
    }
    if old >= new {
        return sure(old == new && proof.is_empty() && old_root == new_root);
    }
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let mut rest = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { rest.next() };
    let Some(first) = first else { return Err(Unproven) };
    let (mut of_old, mut of_new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(Unproven);
        }
        if at & 1 == 1 || at == last {
            of_old = node_hash(sibling, &of_old);
            of_new = node_hash(sibling, &of_new);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            of_new = node_hash(&of_new, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    sure(last == 0 && of_old == *old_root && of_new == *new_root)
}

/// The largest power of two below `size`, which is more than one.
const fn half(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Root over the leaves `low..high`, where `low` is a multiple of every full subtree in it.
fn root_of<E>(
    low: u64,
    high: u64,
    node: &mut impl FnMut(u8, u64) -> Result<Digest, E>,
) -> Result<Digest, E> {
    let edge = Frontier::load(high - low, |level, index| node(level, (low >> level) + index))?;
    Ok(edge.root())
}

/// A proof that an entry is in the tree of a checkpoint, as one text (C2SP tlog-proof).
///
/// ```text
/// c2sp.org/tlog-proof@v1
/// index 73894
/// <base64 hash> …
///
/// <checkpoint>
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Place of the entry, from 0: its position less one.
    pub index: u64,
    /// From the leaf's sibling up.
    pub hashes: Vec<Digest>,
    /// The checkpoint.
    pub note: Note,
}

const HEADER: &str = "c2sp.org/tlog-proof@v1";

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", base64(hash)))?;
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for TlogProof {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let no = |what| NoteError::Malformed { what };
        let (head, note) =
            text.split_once("\n\n").ok_or_else(|| no("a proof has an empty line"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(no("a proof begins with c2sp.org/tlog-proof@v1"));
        }
        let mut line = lines.next();
        if let Some(extra) = line.and_then(|line| line.strip_prefix("extra ")) {
            // opaque, and authenticated by nothing: only its form is looked at
            STANDARD.decode(extra).map_err(|_malformed| no("a proof's extra is base64"))?;
            line = lines.next();
        }
        let index = line.and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or_else(|| no("a proof names its index"))?;
        Ok(Self { index, hashes: hashes(lines)?, note: note.parse()? })
    }
}

/// Lines of base64 hashes.
pub(crate) fn hashes<'l>(lines: impl Iterator<Item = &'l str>) -> Result<Vec<Digest>, NoteError> {
    let no = |what| NoteError::Malformed { what };
    let hashes: Option<Vec<Digest>> = lines.map(digest).collect();
    let hashes = hashes.ok_or_else(|| no("a proof's hashes are base64 of 32 bytes"))?;
    if hashes.len() >= HASHES_MAX {
        return Err(no("a proof has at most 63 hashes"));
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{KeyKind, SigningKey};
    use crate::tree::{leaf_hash, place_of};
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    /// Trees of every size up to `max`: nodes by row, and the root at each size.
    struct Trees {
        rows: BTreeMap<u64, Vec<Digest>>,
        roots: Vec<Digest>,
    }

    impl Trees {
        fn of(leaves: impl Iterator<Item = Vec<u8>>) -> Self {
            let mut edge = Frontier::default();
            let (mut rows, mut roots) = (BTreeMap::new(), vec![edge.root()]);
            for (index, leaf) in (0..).zip(leaves) {
                rows.insert(index, edge.push(leaf_hash(&leaf)));
                roots.push(edge.root());
            }
            Self { rows, roots }
        }

        fn node(&self) -> impl FnMut(u8, u64) -> Result<Digest, Infallible> {
            |level, index| {
                let (row, slot) = place_of(level, index);
                Ok(self.rows[&row][slot])
            }
        }

        fn at(&self, size: u64) -> (u64, &Digest) {
            (size, &self.roots[usize::try_from(size).unwrap()])
        }
    }

    const MAX: u64 = 40;

    fn trees() -> Trees {
        Trees::of((0..MAX).map(|n| n.to_be_bytes().to_vec()))
    }

    #[test]
    fn every_entry_of_every_tree_can_be_proven_and_at_no_other_place() {
        let trees = trees();
        for size in 1..=MAX {
            for index in 0..size {
                let Ok(proof) = inclusion(size, index, &mut trees.node());
                let leaf = leaf_hash(&index.to_be_bytes());
                let check = |at, leaf: &Digest, proof: &[Digest]| {
                    check_inclusion(trees.at(size), (at, leaf), proof)
                };
                assert_eq!(check(index, &leaf, &proof), Ok(()), "{index} of {size}");
                for other in (0..=size).filter(|other| *other != index) {
                    assert_eq!(check(other, &leaf, &proof), Err(Unproven), "{other} of {size}");
                }
                assert_eq!(check(index, &leaf_hash(b"forged"), &proof), Err(Unproven));
                let longer = [&proof[..], &[leaf]].concat();
                assert_eq!(check(index, &leaf, &longer), Err(Unproven));
                if let Some((_, shorter)) = proof.split_last() {
                    assert_eq!(check(index, &leaf, shorter), Err(Unproven));
                }
            }
        }
    }

    #[test]
    fn every_tree_is_proven_to_continue_the_smaller_ones_and_no_other() {
        let trees = trees();
        let fork = Trees::of((0..MAX).map(|n| vec![u8::from(n < 3)]));
        for new in 0..=MAX {
            for old in 0..=new {
                let Ok(proof) = consistency(old, new, &mut trees.node());
                let check = |old, new, proof: &[Digest]| check_consistency(old, new, proof);
                assert_eq!(check(trees.at(old), trees.at(new), &proof), Ok(()), "{old} to {new}");
                if old > 0 {
                    assert_eq!(check(fork.at(old), trees.at(new), &proof), Err(Unproven));
                }
                if new > 0 && old > 0 {
                    assert_eq!(check(trees.at(old), fork.at(new), &proof), Err(Unproven));
                }
                let longer = [&proof[..], &[empty_root()]].concat();
                assert_eq!(check(trees.at(old), trees.at(new), &longer), Err(Unproven));
                if let Some((_, shorter)) = proof.split_last() {
                    assert_eq!(check(trees.at(old), trees.at(new), shorter), Err(Unproven));
                }
                for at in 0..proof.len() {
                    let mut other = proof.clone();
                    other[at] = empty_root();
                    assert_eq!(check(trees.at(old), trees.at(new), &other), Err(Unproven));
                }
            }
        }
        assert_eq!(check_consistency(trees.at(5), trees.at(4), &[]), Err(Unproven));
    }

    /// The reference vectors of Certificate Transparency: eight leaves, paths and proofs.
    #[test]
    fn the_published_proofs_of_certificate_transparency_come_out() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let bytes = |hex: &str| -> Vec<u8> {
            let pair = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            (0..hex.len()).step_by(2).map(pair).collect()
        };
        let trees = Trees::of(leaves.iter().map(|leaf| bytes(leaf)));
        let hexes = |proof: Vec<Digest>| proof.iter().map(Digest::hex).collect::<Vec<_>>();
        let Ok(path) = inclusion(8, 5, &mut trees.node());
        assert_eq!(
            hexes(path),
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        let Ok(proof) = consistency(6, 8, &mut trees.node());
        assert_eq!(
            hexes(proof),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        assert_eq!(
            trees.roots[8].hex(),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
    }

    #[test]
    fn a_proof_file_reads_back_and_anything_else_says_why() {
        let key = SigningKey::from_seed("log", KeyKind::Log, &[1; 32]).unwrap();
        let text = "log\n3\nroot\n";
        let note = Note::new(text, key.sign(text, 0));
        let proof = TlogProof { index: 2, hashes: vec![Digest::of(b"a")], note };
        let written = proof.to_string();
        assert_eq!(written.parse(), Ok(proof.clone()));
        assert_eq!(written.replace("index", "extra AAAA\nindex").parse(), Ok(proof));
        for (bad, says) in [
            (written.replace("@v1", "@v2"), "begins with"),
            (written.replace("index 2", "index 02"), "index"),
            (written.replace("index 2\n", "index 2\nAAAA\n"), "32 bytes"),
            (written.replace("\n\n", "\n"), "empty line"),
        ] {
            let error = bad.parse::<TlogProof>().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
