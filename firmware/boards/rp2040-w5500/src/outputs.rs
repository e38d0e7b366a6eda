//! What the board switches, each through a transistor: GP6 buzzer, GP7 warning light, GP22 siren relay; GP25 is the board's own lamp.
use embassy_rp::gpio::Output as Pin;
use tuoan_node::alarm::{Output, Outputs};

pub struct Switches {
    pub buzzer: Pin<'static>,
    /// False: the room wants no noise of its own (the settings' `local_alarm`).
    pub sounds: bool,
    pub lamp: Pin<'static>,
    /// None where nothing may be switched.
    pub siren: Option<Pin<'static>>,
    pub beacon: Pin<'static>,
}

impl Outputs for Switches {
    fn set(&mut self, output: Output, on: bool) -> bool {
        let on = on && (output != Output::Buzzer || self.sounds);
        let pin = match output {
            Output::Buzzer => &mut self.buzzer,
            Output::Led => &mut self.lamp,
            Output::Siren => match &mut self.siren {
                Some(siren) => siren,
                None => return false,
            },
            Output::Beacon => &mut self.beacon,
            // Valves, lamps and locks belong to boards of their own.
            Output::ValveClose | Output::UvLampOff | Output::Unlock => return false,
        };
        pin.set_level(on.into());
        true
    }
}
