use super::{Decoded, Decoder, Directory, Raw};

#[derive(Default)]
pub struct Esphome {}

impl Decoder for Esphome {
    fn name(&self) -> &'static str {
        "esphome"
    }
    fn prefix(&self) -> &'static str {
        "esphome."
    }
    fn decode(&mut self, _: Raw<'_>, _: &mut Directory) -> Decoded {
        Decoded::NotMine
    }
}
