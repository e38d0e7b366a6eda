use super::{Decoded, Decoder, Raw};

#[derive(Default)]
pub struct Native {}

impl Decoder for Native {
    fn name(&self) -> &'static str {
        "native"
    }
    fn decode(&mut self, _raw: Raw<'_>) -> Decoded {
        Decoded::NotMine
    }
}
