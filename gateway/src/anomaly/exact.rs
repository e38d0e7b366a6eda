//! Floats in snapshots as their bits: text formats need not give back the same number, and a restored detector must go on bit-identically.
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `#[serde(with = "exact")]` for one float.
pub(super) fn serialize<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
    x.to_bits().serialize(s)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    u64::deserialize(d).map(f64::from_bits)
}

/// `#[serde(with = "exact::list")]` for a list of floats.
pub(super) mod list {
    use super::*;

    pub fn serialize<S: Serializer>(list: &[f64], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(list.iter().map(|x| x.to_bits()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<u64>::deserialize(d)?.into_iter().map(f64::from_bits).collect())
    }
}

/// `#[serde(with = "exact::sparse")]` for a long list of fixed length that is mostly zero: pairs of position and bits.
pub(super) mod sparse {
    use super::*;
    use crate::anomaly::tail::BINS;
    use serde::de::Error;

    pub fn serialize<S: Serializer>(list: &[f64], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(list.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, x)| (i as u32, x.to_bits())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        let mut list = vec![0.0; BINS];
        for (i, bits) in Vec::<(u32, u64)>::deserialize(d)? {
            let slot = list.get_mut(i as usize).ok_or_else(|| D::Error::custom(format!("position {i} of {BINS}")))?;
            *slot = f64::from_bits(bits);
        }
        Ok(list)
    }
}
