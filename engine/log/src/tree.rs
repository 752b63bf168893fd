//! The RFC 6962 Merkle tree over the leaves: the hashes that an event completes, and roots.
//!
//! Pure arithmetic over hashes that a caller yields; it stores nothing. In the order of
//! RFC 6962 stored hashes (Go's `tlog.StoredHashIndex`) the event at index `n` completes a
//! contiguous group: its leaf hash and one parent for every trailing one bit of `n`. That group is
//! kept in the event's own row, so the node `(level, i)` is slot `level` of the row at index
//! `((i + 1) << level) - 1`.

use crate::check::sha256;
use placet_model::Digest;

/// The hash of an entry of the tree: SHA-256(0x00 | leaf).
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest::from_bytes(sha256(&[&[0], leaf]))
}

/// The hash of an inner node: SHA-256(0x01 | left | right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::from_bytes(sha256(&[&[1], left.as_bytes(), right.as_bytes()]))
}

/// The root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest::from_bytes(sha256(&[]))
}

/// How many hashes the event at index `n` completes, its leaf hash included.
pub const fn completed_by(index: u64) -> usize {
    index.trailing_ones() as usize + 1
}

/// Where the node stands: `(index of the event whose row holds it, slot in that row)`.
pub const fn place_of(level: u8, index: u64) -> (u64, usize) {
    (((index + 1) << level) - 1, level as usize)
}

/// The full subtrees that make up a tree of `size` leaves, largest first, as `(level, index)`.
pub fn subtrees(size: u64) -> impl Iterator<Item = (u8, u64)> {
    (0..64u8)
        .rev()
        .filter(move |level| size >> level & 1 == 1)
        .map(move |level| (level, (size >> level) - 1))
}

/// The right edge of a growing tree: the roots of its full subtrees, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

impl Frontier {
    /// The edge of a tree of `size` leaves whose nodes `node(level, index)` yields.
    ///
    /// # Errors
    /// Whatever `node` fails with.
    pub fn load<E>(
        size: u64,
        mut node: impl FnMut(u8, u64) -> Result<Digest, E>,
    ) -> Result<Self, E> {
        let roots =
            subtrees(size).map(|(level, index)| node(level, index)).collect::<Result<_, E>>()?;
        Ok(Self { size, roots })
    }

    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; the hashes that it completes, its own first.
    ///
    /// # Panics
    /// Never: every one bit of the size has its subtree on the edge.
    pub fn push(&mut self, leaf: Digest) -> Vec<Digest> {
        let mut completed = Vec::with_capacity(completed_by(self.size));
        completed.push(leaf);
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.roots.pop().expect("a one bit of the size has its subtree on the edge");
            hash = node_hash(&left, &hash);
            completed.push(hash);
        }
        self.roots.push(hash);
        self.size += 1;
        completed
    }

    /// The root of the tree.
    pub fn root(&self) -> Digest {
        let mut right_to_left = self.roots.iter().rev();
        let Some(last) = right_to_left.next() else { return empty_root() };
        right_to_left.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    /// RFC 6962 section 2.1, word for word.
    fn reference_root(leaves: &[Vec<u8>]) -> Digest {
        match leaves {
            [] => empty_root(),
            [one] => leaf_hash(one),
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&reference_root(&many[..split]), &reference_root(&many[split..]))
            }
        }
    }

    #[test]
    fn the_root_at_every_size_is_that_of_rfc_6962() {
        let leaves: Vec<Vec<u8>> = (0..130u8).map(|n| vec![n; usize::from(n)]).collect();
        let mut frontier = Frontier::default();
        for size in 0..leaves.len() {
            assert_eq!(frontier.root(), reference_root(&leaves[..size]), "size {size}");
            let completed = frontier.push(leaf_hash(&leaves[size]));
            assert_eq!(completed.len(), completed_by(size as u64));
        }
    }

    #[test]
    fn the_published_roots_of_certificate_transparency_come_out() {
        // the reference vectors of google/certificate-transparency, merkle_tree_test
        let leaves = ["", "00", "10", "2021", "3031", "40414243"];
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len() / 2)
                .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
                .collect()
        };
        let mut frontier = Frontier::default();
        for leaf in leaves {
            frontier.push(leaf_hash(&hex(leaf)));
        }
        let root = "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef";
        assert_eq!(frontier.root().hex(), root);
    }

    #[test]
    fn every_edge_can_be_loaded_from_the_rows_of_its_events() {
        let mut rows = BTreeMap::new();
        let mut frontier = Frontier::default();
        for index in 0..100u64 {
            let nodes = frontier.push(leaf_hash(&index.to_be_bytes()));
            rows.insert(index, nodes);
            let loaded = Frontier::load(index + 1, |level, i| {
                let (row, slot) = place_of(level, i);
                Ok::<_, Infallible>(rows[&row][slot])
            });
            assert_eq!(loaded, Ok(frontier.clone()));
        }
    }
}
