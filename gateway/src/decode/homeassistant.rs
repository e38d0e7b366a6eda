use super::{Decoded, Directory, Owner, Raw};
use crate::engine::input::DeviceInfo;

pub(super) const NAME: &str = "homeassistant";
pub(super) const PREFIX: &str = "ha.";

#[derive(Default)]
pub struct HomeAssistant {}

impl HomeAssistant {
    pub fn decode(&mut self, _: Raw<'_>, _: &mut Directory, _: &dyn Fn(&str) -> Owner) -> Decoded {
        Decoded::NotMine
    }
    pub fn learn(&mut self, _: &[DeviceInfo], _: &mut Directory) {}
}
