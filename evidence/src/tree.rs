//! The Merkle tree of RFC 6962 over a log that only grows: its root, proofs that a leaf is in it, and that an older root is the beginning of a newer.
//!
//! Nothing here keeps leaves: whoever does keeps the hashes of whole subtrees ([`Nodes`]), which never change, so that appending costs two hashes on
//! average and a proof about forty look-ups. Hashes: SHA-256, of a leaf over `0x00` and its bytes, of a node over `0x01` and both children.
use sha2::{Digest, Sha256};

pub type Hash = [u8; 32];

/// A proof of more steps than this is of no tree that there is.
pub const MAX_PROOF: usize = 64;

/// Hash of a leaf: of the kind of record (see [`crate::Kind`]) and its canonical bytes.
pub fn leaf(kind: u8, record: &[u8]) -> Hash {
    Sha256::new().chain_update([0, kind]).chain_update(record).finalize().into()
}
/// Hash of a node over its two children.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}
/// Root of the tree without leaves.
pub fn empty() -> Hash {
    Sha256::digest([]).into()
}

/// Where the hashes of whole subtrees are: of the `2^level` leaves from `index * 2^level` on. Level 0 are the leaves.
pub trait Nodes {
    type Error;
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

impl Nodes for [Hash] {
    type Error = std::convert::Infallible;
    /// Leaves in memory; the nodes above are computed. One that is not there is all zeros.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        if level == 0 {
            return Ok(usize::try_from(index).ok().and_then(|i| self.get(i)).copied().unwrap_or_default());
        }
        let (left, right) = (self.node(level - 1, index * 2)?, self.node(level - 1, index * 2 + 1)?);
        Ok(node(&left, &right))
    }
}

/// The nodes that become whole when leaf number `index` with that hash is appended, from the leaf upwards: (level, index, hash).
pub fn append<N: Nodes + ?Sized>(nodes: &N, index: u64, leaf: Hash) -> Result<Vec<(u32, u64, Hash)>, N::Error> {
    let mut whole = vec![(0, index, leaf)];
    let (mut level, mut at, mut hash) = (0, index, leaf);
    while at % 2 == 1 {
        hash = node(&nodes.node(level, at - 1)?, &hash);
        (level, at) = (level + 1, at / 2);
        whole.push((level, at, hash));
    }
    Ok(whole)
}

/// Root over the first `size` leaves.
pub fn root<N: Nodes + ?Sized>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(empty()) } else { range(nodes, 0, size) }
}

/// Hash over `size` leaves from `start` on, which is a multiple of the least power of two that is not below `size`. Not deeper than 64.
fn range<N: Nodes + ?Sized>(nodes: &N, start: u64, size: u64) -> Result<Hash, N::Error> {
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return nodes.node(level, start >> level);
    }
    let k = split(size);
    Ok(node(&range(nodes, start, k)?, &range(nodes, start + k, size - k)?))
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// That leaf `index` is among the first `size`; `index` must be below `size`.
pub fn inclusion<N: Nodes + ?Sized>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut size) = (0, size);
    let mut path = Vec::new();
    while size > 1 {
        let k = split(size);
        if index - start < k {
            path.push(range(nodes, start + k, size - k)?);
            size = k;
        } else {
            path.push(range(nodes, start, k)?);
            (start, size) = (start + k, size - k);
        }
    }
    path.reverse();
    Ok(path)
}

/// That the first `old` leaves are the beginning of the first `new`; `old` is from 1 to `new`. Empty when they are equal.
pub fn consistency<N: Nodes + ?Sized>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut start, mut old, mut new, mut known) = (0, old, new, true);
    let mut path = Vec::new();
    while old < new {
        let k = split(new);
        if old <= k {
            path.push(range(nodes, start + k, new - k)?);
            new = k;
        } else {
            path.push(range(nodes, start, k)?);
            (start, old, new, known) = (start + k, old - k, new - k, false);
        }
    }
    if !known {
        path.push(range(nodes, start, new)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether `proof` shows that leaf number `index` with hash `leaf` is in the tree of `size` leaves with that root (RFC 9162, 2.1.3.2).
pub fn included(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size || proof.len() > MAX_PROOF {
        return false;
    }
    let (mut f, mut s, mut r) = (index, size - 1, *leaf);
    for p in proof {
        if s == 0 {
            return false;
        }
        if f % 2 == 1 || f == s {
            r = node(p, &r);
            while f.is_multiple_of(2) && f != 0 {
                (f, s) = (f / 2, s / 2);
            }
        } else {
            r = node(&r, p);
        }
        (f, s) = (f / 2, s / 2);
    }
    s == 0 && r == *root
}

/// Whether `proof` shows that the tree of `old` leaves is the beginning of that of `new` (RFC 9162, 2.1.4.2). A tree without leaves is the beginning
/// of every tree.
pub fn consistent(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new || proof.len() > MAX_PROOF {
        return false;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty();
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        match proof.split_first() {
            Some(split) => split,
            None => return false,
        }
    };
    let (mut f, mut s) = (old - 1, new - 1);
    while f % 2 == 1 {
        (f, s) = (f / 2, s / 2);
    }
    let (mut fr, mut sr) = (*first, *first);
    for c in rest {
        if s == 0 {
            return false;
        }
        if f % 2 == 1 || f == s {
            (fr, sr) = (node(c, &fr), node(c, &sr));
            while f.is_multiple_of(2) && f != 0 {
                (f, s) = (f / 2, s / 2);
            }
        } else {
            sr = node(&sr, c);
        }
        (f, s) = (f / 2, s / 2);
    }
    s == 0 && fr == *old_root && sr == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definitions of RFC 6962, 2.1, word for word.
    fn mth(d: &[Hash]) -> Hash {
        match d {
            [] => empty(),
            [one] => *one,
            _ => {
                let (l, r) = d.split_at(split(d.len() as u64) as usize);
                node(&mth(l), &mth(r))
            }
        }
    }
    fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
        if d.len() <= 1 {
            return Vec::new();
        }
        let (l, r) = d.split_at(split(d.len() as u64) as usize);
        let (mut p, other) = if m < l.len() { (path(m, l), mth(r)) } else { (path(m - l.len(), r), mth(l)) };
        p.push(other);
        p
    }
    fn subproof(m: usize, d: &[Hash], b: bool) -> Vec<Hash> {
        if m == d.len() {
            return if b { Vec::new() } else { vec![mth(d)] };
        }
        let (l, r) = d.split_at(split(d.len() as u64) as usize);
        let (mut p, other) = if m <= l.len() { (subproof(m, l, b), mth(r)) } else { (subproof(m - l.len(), r, false), mth(l)) };
        p.push(other);
        p
    }

    /// Leaves of the reference implementation's tests (certificate-transparency, `merkle_tree_test.cc`), and the roots there.
    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        // A leaf there has no kind before its bytes.
        let hash = |i: &str| -> Hash { Sha256::new().chain_update([0]).chain_update(hex::decode(i).unwrap()).finalize().into() };
        let leaves: Vec<Hash> = inputs.iter().map(|i| hash(i)).collect();
        assert_eq!(hex::encode(root(&leaves[..0], 0).unwrap()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (n, expected) in roots.iter().enumerate() {
            assert_eq!(hex::encode(root(leaves.as_slice(), n as u64 + 1).unwrap()), *expected, "{} leaves", n + 1);
        }
    }

    #[test]
    fn appended_nodes_are_those_of_the_tree() {
        let leaves: Vec<Hash> = (0..70u8).map(|n| leaf(1, &[n])).collect();
        for i in 0..70u64 {
            for (level, index, hash) in append(leaves.as_slice(), i, leaves[i as usize]).unwrap() {
                assert_eq!(leaves.as_slice().node(level, index).unwrap(), hash);
                assert_eq!((index + 1) << level, i + 1);
            }
        }
    }

    #[test]
    fn all_proofs_of_small_trees_hold_and_are_those_of_the_definition() {
        let leaves: Vec<Hash> = (0..40u8).map(|n| leaf(1, &[n])).collect();
        let tree = leaves.as_slice();
        for n in 1..=leaves.len() {
            let top = root(tree, n as u64).unwrap();
            assert_eq!(top, mth(&leaves[..n]));
            for m in 0..n {
                let p = inclusion(tree, m as u64, n as u64).unwrap();
                assert_eq!(p, path(m, &leaves[..n]));
                assert!(included(&leaves[m], m as u64, n as u64, &p, &top));
                let c = consistency(tree, m as u64 + 1, n as u64).unwrap();
                assert_eq!(c, subproof(m + 1, &leaves[..n], true));
                assert!(consistent(m as u64 + 1, &mth(&leaves[..m + 1]), n as u64, &top, &c));
            }
        }
        assert!(consistent(0, &empty(), 40, &mth(&leaves), &[]));
        assert!(!consistent(0, &leaves[0], 40, &mth(&leaves), &[]));
    }

    proptest! {
        #[test]
        fn a_proof_that_was_touched_does_not_hold(n in 2u64..300, m in 0u64..300, at in any::<prop::sample::Index>(), bit in 0usize..256, how in 0..4) {
            let m = m % n;
            let leaves: Vec<Hash> = (0..n).map(|n| leaf(1, &n.to_be_bytes())).collect();
            let tree = leaves.as_slice();
            let top = root(tree, n).unwrap();
            let touch = |proof: &mut Vec<Hash>| match how {
                0 if !proof.is_empty() => { let i = at.index(proof.len()); proof[i][bit / 8] ^= 1 << (bit % 8); }
                1 if !proof.is_empty() => { proof.remove(at.index(proof.len())); }
                2 => proof.insert(at.index(proof.len() + 1), [7; 32]),
                _ => proof.push(top),
            };
            let mut p = inclusion(tree, m, n).unwrap();
            prop_assert!(included(&leaves[m as usize], m, n, &p, &top));
            prop_assert!(!included(&leaves[m as usize], m, n + n.next_power_of_two(), &p, &top));
            prop_assert!(!included(&leaves[m as usize], (m + 1) % n, n, &p, &top));
            touch(&mut p);
            prop_assert!(!included(&leaves[m as usize], m, n, &p, &top));
            let old = root(tree, m + 1).unwrap();
            let mut c = consistency(tree, m + 1, n).unwrap();
            prop_assert!(consistent(m + 1, &old, n, &top, &c));
            touch(&mut c);
            prop_assert!(!consistent(m + 1, &old, n, &top, &c));
        }
        /// What a stranger sends ends in an answer.
        #[test]
        fn any_proof_is_answered(a in any::<u64>(), b in any::<u64>(), proof in prop::collection::vec(any::<Hash>(), 0..80), root in any::<Hash>()) {
            let _ = included(&root, a, b, &proof, &root);
            let _ = consistent(a, &root, b, &root, &proof);
        }
    }
}
