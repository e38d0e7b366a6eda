use super::{Decoded, Decoder, Raw};

#[derive(Default)]
pub struct Zigbee2Mqtt {}

impl Decoder for Zigbee2Mqtt {
    fn name(&self) -> &'static str {
        "zigbee2mqtt"
    }
    fn decode(&mut self, _raw: Raw<'_>) -> Decoded {
        Decoded::NotMine
    }
}
