//! Finds the values of several JSON pointers in one pass, without building a tree.
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Levels of a pointer at most: bounds the recursion.
const MAX_DEPTH: usize = 8;

/// The pointers, as a tree of their tokens.
#[derive(Default)]
pub struct Pick {
    /// Where the value at this node goes.
    slots: Vec<usize>,
    children: Vec<(String, Pick)>,
}

type Found<'de> = [Option<&'de str>];

impl Pick {
    /// `pointer` after RFC 6901: empty for the whole, or `/a/0/b` with `~1` for `/` and `~0` for `~`.
    pub fn add(&mut self, pointer: &str, slot: usize) -> Result<(), String> {
        let mut node = self;
        if !pointer.is_empty() {
            let Some(tokens) = pointer.strip_prefix('/') else {
                return Err(format!("pointer `{pointer}` must start with / (or be empty for the whole payload)"));
            };
            if tokens.split('/').count() > MAX_DEPTH {
                return Err(format!("pointer `{pointer}` has more than {MAX_DEPTH} levels"));
            }
            for token in tokens.split('/') {
                let token = token.replace("~1", "/").replace("~0", "~");
                let at = match node.children.iter().position(|(name, _)| *name == token) {
                    Some(at) => at,
                    None => {
                        node.children.push((token, Pick::default()));
                        node.children.len() - 1
                    }
                };
                match node.children.get_mut(at) {
                    Some((_, child)) => node = child,
                    None => return Err("pointer".to_owned()),
                }
            }
        }
        node.slots.push(slot);
        Ok(())
    }

    /// Puts the text of each value that is there into its slot.
    pub fn find<'de>(&self, payload: &'de [u8], found: &mut Found<'de>) -> Result<(), String> {
        // The whole payload may be a bare word (`ON`, `open`), which is no JSON.
        if self.children.is_empty() {
            let text = std::str::from_utf8(payload).map_err(|_| "the payload is not UTF-8".to_owned())?.trim();
            self.fill(text, found);
            return Ok(());
        }
        let mut input = serde_json::Deserializer::from_slice(payload);
        Walk { node: self, found }.deserialize(&mut input).and_then(|()| input.end()).map_err(|e| format!("the payload is not JSON: {e}"))
    }

    fn fill<'de>(&self, text: &'de str, found: &mut Found<'de>) {
        for slot in &self.slots {
            if let Some(place) = found.get_mut(*slot) {
                *place = Some(text);
            }
        }
    }

    fn child(&self, token: &str) -> Option<&Pick> {
        self.children.iter().find(|(name, _)| name == token).map(|(_, child)| child)
    }
}

struct Walk<'p, 'f, 'de> {
    node: &'p Pick,
    found: &'f mut Found<'de>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        if self.node.slots.is_empty() {
            return d.deserialize_any(self);
        }
        let text = <&RawValue as serde::Deserialize>::deserialize(d)?.get();
        self.node.fill(text, self.found);
        if self.node.children.is_empty() {
            return Ok(());
        }
        serde_json::Deserializer::from_str(text).deserialize_any(self).map_err(serde::de::Error::custom)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Key(self.node))? {
            match child {
                Some(node) => map.next_value_seed(Walk { node, found: &mut *self.found })?,
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0usize;
        loop {
            // Only arrays that a pointer leads into come here; their indices are few.
            let more = match self.node.child(&index.to_string()) {
                Some(node) => seq.next_element_seed(Walk { node, found: &mut *self.found })?.is_some(),
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
    }
    // A scalar where a pointer goes deeper: the pointer finds nothing.
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Looks a key up without keeping it.
struct Key<'p>(&'p Pick);

impl<'de, 'p> DeserializeSeed<'de> for Key<'p> {
    type Value = Option<&'p Pick>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Key<'p> {
    type Value = Option<&'p Pick>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.child(key))
    }
}
