//! JSON looked into without building a tree: a number keeps its digits, and only what is asked for is read.
use super::scalar::Scalar;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The text of one well-formed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// # Errors
    /// The payload is not one JSON value; says where.
    pub fn parse(payload: &'a [u8]) -> Result<Json<'a>, String> {
        serde_json::from_slice::<&RawValue>(payload).map(|raw| Json(raw.get())).map_err(|e| format!("the payload is not JSON: {e}"))
    }
    /// As [`Json::parse`], of an object.
    pub fn object(payload: &'a [u8]) -> Result<Json<'a>, String> {
        Json::parse(payload).and_then(|j| if j.is_object() { Ok(j) } else { Err("the payload must be a JSON object".to_owned()) })
    }
    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }
    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }
    /// Members of an object in their order; nothing of any other value.
    pub fn members(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        if self.is_object() { serde_json::from_str::<Members<'a>>(self.0).map(|m| m.0).unwrap_or_default() } else { Vec::new() }
    }
    /// Elements of an array; nothing of any other value.
    pub fn elements(self) -> Vec<Json<'a>> {
        if self.is_array() { serde_json::from_str::<Elements<'a>>(self.0).map(|e| e.0).unwrap_or_default() } else { Vec::new() }
    }
    /// The member of an object. The first, should it stand twice.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.members().into_iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }
    /// The member at the end of a path.
    pub fn at(self, path: &[&str]) -> Option<Json<'a>> {
        path.iter().try_fold(self, |j, key| j.get(key))
    }
    pub fn scalar(self) -> Scalar<'a> {
        Scalar::of(self.0)
    }
    /// Of a string.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self.scalar() {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
    /// The text of a string member; an empty one is as good as absent.
    pub fn string(self, key: &str) -> Option<String> {
        self.get(key)?.text().map(Cow::into_owned).filter(|t| !t.trim().is_empty())
    }
    /// Of a whole number without sign.
    pub fn whole(self) -> Option<u64> {
        self.scalar().number()?.parse().ok()
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, Json<'a>)>);
struct Elements<'a>(Vec<Json<'a>>);
/// A string, borrowed where it holds no escape.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(key), raw)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((key, Json(raw.get())));
                }
                Ok(Members(members))
            }
        }
        d.deserialize_map(V)
    }
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(raw) = seq.next_element::<&'de RawValue>()? {
                    elements.push(Json(raw.get()));
                }
                Ok(Elements(elements))
            }
        }
        d.deserialize_seq(V)
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(s)))
            }
            fn visit_str<E>(self, s: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(s.to_owned())))
            }
        }
        d.deserialize_str(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_into_json_and_keeps_the_digits() {
        let json = Json::parse(br#" {"a":{"b\u0020c":[1.10,"x",null]},"a":2} "#).unwrap();
        assert_eq!(json.at(&["a", "b c"]).unwrap().elements().len(), 3);
        assert_eq!(json.at(&["a", "b c"]).unwrap().elements()[0].scalar(), Scalar::Number("1.10"));
        assert_eq!(json.at(&["a", "x"]), None);
        assert_eq!(json.members().len(), 2);
        assert!(Json::parse(b"{\"a\":}").unwrap_err().contains("line 1"));
        assert!(Json::object(b"[1]").is_err() && Json::parse(b"\xff").is_err());
    }
}
