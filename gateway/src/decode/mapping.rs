use super::{Decoded, Decoder, Raw};

#[derive(Default)]
pub struct Mapping {}

impl Decoder for Mapping {
    fn name(&self) -> &'static str {
        "mapping"
    }
    fn decode(&mut self, _raw: Raw<'_>) -> Decoded {
        Decoded::NotMine
    }
}
