//! Quantities and their units. One table; everything else (wire names, scale, rule packs, pages) reads it.
use crate::decimal::{Decimal, Exact};
use crate::id::OtherName;

/// A value in fixed point: the quantity's unit divided by `10^decimals`. From decoding on there is no floating point, so that a
/// replay on another machine gives the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Fixed(pub i64);

/// Largest magnitude of a [`Fixed`]: exact in an `f64` and in JavaScript.
pub const FIXED_MAX: i64 = (1 << 53) - 1;

macro_rules! quantities {
    ($($(#[$doc:meta])* $v:ident $name:literal $unit:literal $decimals:literal $kind:ident;)*) => {
        /// A measured quantity. State quantities have the unit `bool`: 1 is the state the name says.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quantity {
            $($(#[$doc])* $v,)*
            /// Not known to this version: kept with three decimals, shown, never judged by a built-in rule.
            Other(OtherName),
        }
        impl Quantity {
            /// All known quantities, in table order.
            pub const ALL: &'static [Quantity] = &[$(Quantity::$v,)*];
            /// Name on the wire, in rule packs and as an InfluxDB field.
            pub fn name(&self) -> &str { match self { $(Quantity::$v => $name,)* Quantity::Other(n) => n.as_str() } }
            /// Unit: SI or its accepted relatives; `bool` for a state; empty when unknown.
            pub fn unit(&self) -> &'static str { match self { $(Quantity::$v => $unit,)* Quantity::Other(_) => "" } }
            /// Decimal places kept.
            pub fn decimals(&self) -> u8 { match self { $(Quantity::$v => $decimals,)* Quantity::Other(_) => 3 } }
            pub fn kind(&self) -> Kind { match self { $(Quantity::$v => Kind::$kind,)* Quantity::Other(_) => Kind::Number } }
            fn known(name: &str) -> Option<Quantity> { match name { $($name => Some(Quantity::$v),)* _ => None } }
        }
    };
}

/// How a quantity behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that is sampled.
    Number,
    /// A state (0 or 1) that lasts until it is reported otherwise.
    State,
    /// A state that is hazardous in itself when 1: found retained on connect, it raises its incident.
    Hazard,
}

quantities! {
    Temperature "temperature" "°C" 2 Number;
    Humidity "humidity" "%" 2 Number;
    Pressure "pressure" "hPa" 1 Number;
    Co2 "co2" "ppm" 0 Number;
    Co "co" "ppm" 1 Number;
    Pm1 "pm1" "µg/m³" 1 Number;
    Pm25 "pm25" "µg/m³" 1 Number;
    Pm10 "pm10" "µg/m³" 1 Number;
    Formaldehyde "hcho" "mg/m³" 3 Number;
    Tvoc "tvoc" "mg/m³" 3 Number;
    /** Relative index of volatile compounds, 1 to 500, 100 the room's own average (Sensirion VOC index): no concentration. */
    VocIndex "voc_index" "1" 0 Number;
    /** A-weighted equivalent level. */ SoundLevel "sound_level" "dB(A)" 1 Number;
    Illuminance "illuminance" "lx" 1 Number;
    /** Combustible gas in per cent of the lower explosive limit. */ GasLel "gas_lel" "%LEL" 1 Number;
    GasFlow "gas_flow" "m³/h" 3 Number;
    /** Reading of a gas meter. */ GasVolume "gas_volume" "m³" 3 Number;
    /** Reading of a water meter. */ WaterVolume "water_volume" "m³" 3 Number;
    WaterFlow "water_flow" "L/min" 2 Number;
    WaterTemperature "water_temperature" "°C" 2 Number;
    WaterLevel "water_level" "cm" 1 Number;
    FridgeTemperature "fridge_temperature" "°C" 2 Number;
    BodyTemperature "body_temperature" "°C" 2 Number;
    Power "power" "W" 1 Number;
    Energy "energy" "kWh" 3 Number;
    Voltage "voltage" "V" 1 Number;
    Current "current" "A" 3 Number;
    UvRuntime "uv_runtime" "min" 0 Number;
    People "people" "1" 0 Number;
    Adults "adults" "1" 0 Number;
    Children "children" "1" 0 Number;
    /** Adults that a zone lacks for the children seen in it, by its classes' ratio; only as far as that is sure. */
    CarersMissing "carers_missing" "1" 0 Number;
    /** How likely it is that someone is in the zone, estimated from CO₂, light and noise. Never a proof of absence. */
    OccupancyLikelihood "occupancy_likelihood" "%" 1 Number;
    /** How rare the zone's climate is as a whole: seen about once in so many days. */
    ClimateRarity "climate_rarity" "d" 1 Number;
    Tilt "tilt" "°" 1 Number;
    Distance "distance" "cm" 1 Number;
    Battery "battery" "%" 0 Number;
    BatteryVoltage "battery_voltage" "V" 3 Number;
    LinkQuality "link_quality" "1" 0 Number;
    SignalStrength "rssi" "dBm" 0 Number;
    /** Smoke alarm sounding. */ Smoke "smoke" "bool" 0 Hazard;
    /** Heat detector sounding. */ Heat "heat" "bool" 0 Hazard;
    /** Combustible gas alarm sounding. */ Gas "gas" "bool" 0 Hazard;
    /** Carbon monoxide alarm sounding. */ CoAlarm "co_alarm" "bool" 0 Hazard;
    WaterLeak "water_leak" "bool" 0 Hazard;
    /** A door or window: 1 is OPEN (Zigbee2MQTT's `contact: false`). */ Open "open" "bool" 0 Hazard;
    /** 1 is locked. */ Locked "locked" "bool" 0 State;
    /** Motion by PIR: 1 is motion. Absence proves nothing: a sleeping child does not move. */ Motion "motion" "bool" 0 State;
    /** Presence by mmWave or camera: 1 is present; absence counts as evidence. */ Presence "presence" "bool" 0 State;
    /** A child is seen and no adult. */ Unattended "unattended" "bool" 0 Hazard;
    /** Someone fell and lies still. */ Fallen "fallen" "bool" 0 Hazard;
    /** Someone is where one gets by climbing: a window sill, a shelf. */ Climbing "climbing" "bool" 0 Hazard;
    /** A child is where none may be. */ Intrusion "intrusion" "bool" 0 Hazard;
    /** A sleeper lies face down. */ Prone "prone" "bool" 0 Hazard;
    /** A sleeper's face is covered. */ FaceCovered "face_covered" "bool" 0 Hazard;
    /** A sleeper's face cannot be seen: nobody can tell how that child lies. */ NapUnseen "nap_unseen" "bool" 0 State;
    /** An electric bicycle or scooter stands on an escape way. */ EBike "ebike" "bool" 0 State;
    /** More people than the place bears. */ Crowded "crowded" "bool" 0 State;
    /** More people may be there than were counted: the counts are "at least". */ CountCapped "count_capped" "bool" 0 State;
    /** No frame comes. */ CameraOffline "camera_offline" "bool" 0 State;
    CameraCovered "camera_covered" "bool" 0 State;
    CameraDark "camera_dark" "bool" 0 State;
    CameraOverexposed "camera_overexposed" "bool" 0 State;
    /** Out of focus, or its glass is smeared. */ CameraDefocused "camera_defocused" "bool" 0 State;
    /** It looks elsewhere than when it was set up. */ CameraMoved "camera_moved" "bool" 0 State;
    /** The same picture again and again. */ CameraFrozen "camera_frozen" "bool" 0 State;
    /** A recording played in a loop. */ CameraLooped "camera_looped" "bool" 0 State;
    /** The time it gives its frames is wrong. */ CameraClock "camera_clock" "bool" 0 State;
    /** Too few pixels to see people by. */ CameraLowResolution "camera_low_resolution" "bool" 0 State;
    /** Too few frames to see what happens. */ CameraLowRate "camera_low_rate" "bool" 0 State;
    /** Of the gateway itself: a receiver has not confirmed an alarm for a minute. */ Unconfirmed "unconfirmed" "bool" 0 State;
    /** Of the gateway itself: the last canary did not arrive. */ ChainBroken "chain_broken" "bool" 0 State;
    Vibration "vibration" "bool" 0 State;
    /** 1 is blocked: an escape way that cannot be used. */ Blocked "blocked" "bool" 0 State;
    /** A recorder's channel: 1 is recording. */ Recording "recording" "bool" 0 State;
    Tamper "tamper" "bool" 0 State;
    /** Germicidal lamp: 1 is on. */ UvLamp "uv_lamp" "bool" 0 State;
    /** Mains supply: 1 is present. */ Mains "mains" "bool" 0 State;
    /** Gas or water valve: 1 is open. */ Valve "valve" "bool" 0 State;
    /** Siren or beacon: 1 is sounding. */ Siren "siren" "bool" 0 State;
    /** Wiring or self-test fault reported by the device itself. */ Fault "fault" "bool" 0 State;
}

/// Why a number cannot be a value of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueError {
    NotFinite,
    OutOfRange,
    /// A state other than 0 or 1.
    NotAState,
}
impl core::fmt::Display for ValueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotFinite => "the value is not a finite number",
            Self::OutOfRange => "the value is too large to be kept exactly",
            Self::NotAState => "the value of a state must be 0, 1, true or false",
        })
    }
}
impl core::error::Error for ValueError {}

impl Quantity {
    /// The quantity of that wire name; an unknown valid name is kept as [`Quantity::Other`].
    pub fn from_name(name: &str) -> Result<Quantity, crate::id::NameError> {
        match Self::known(name) {
            Some(q) => Ok(q),
            None => OtherName::new(name).map(Quantity::Other),
        }
    }
    /// Fixed-point units in one unit of the quantity: `10^decimals`.
    pub fn scale(&self) -> i64 {
        10i64.pow(u32::from(self.decimals()))
    }
    pub fn is_state(&self) -> bool {
        matches!(self.kind(), Kind::State | Kind::Hazard)
    }
    /// `value` in the quantity's unit, rounded half away from zero to its decimals.
    pub fn fixed(&self, value: f64) -> Result<Fixed, ValueError> {
        if !value.is_finite() {
            return Err(ValueError::NotFinite);
        }
        let scaled = value * self.scale() as f64;
        let rounded = if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 };
        if rounded.abs() >= FIXED_MAX as f64 {
            return Err(ValueError::OutOfRange);
        }
        self.checked(Fixed(rounded as i64))
    }
    /// The number that `text` holds (JSON syntax, in the quantity's unit), exactly; rounded half away from zero to the decimals kept.
    pub fn parse(&self, text: &str) -> Result<Fixed, ValueError> {
        self.checked(Decimal::parse(text)?.to_fixed(self.decimals())?)
    }
    /// `value` in the quantity's unit, displayed exactly: `23.4`.
    pub fn exact(&self, value: Fixed) -> Exact {
        Exact { value, decimals: self.decimals() }
    }
    /// `value` if it may be a value of this quantity.
    pub fn checked(&self, value: Fixed) -> Result<Fixed, ValueError> {
        if self.is_state() && !(0..=1).contains(&value.0) {
            return Err(ValueError::NotAState);
        }
        if value.0.unsigned_abs() > FIXED_MAX.unsigned_abs() { Err(ValueError::OutOfRange) } else { Ok(value) }
    }
    /// For display and for InfluxDB only; decisions use [`Fixed`].
    pub fn float(&self, value: Fixed) -> f64 {
        value.0 as f64 / self.scale() as f64
    }
}

impl serde::Serialize for Quantity {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}
impl<'de> serde::Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = Quantity;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a quantity's name")
            }
            fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<Quantity, E> {
                Quantity::from_name(s).map_err(E::custom)
            }
        }
        d.deserialize_str(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (i, q) in Quantity::ALL.iter().enumerate() {
            assert_eq!(Quantity::from_name(q.name()).as_ref(), Ok(q));
            assert!(Quantity::ALL.iter().skip(i + 1).all(|other| other.name() != q.name()), "{}", q.name());
            assert_eq!(q.is_state(), q.unit() == "bool", "{}", q.name());
            assert!(!q.is_state() || q.decimals() == 0, "{}", q.name());
        }
        assert!(matches!(Quantity::from_name("radon"), Ok(Quantity::Other(_))));
        assert!(Quantity::from_name("no spaces").is_err());
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(Quantity::Temperature.parse("23.456"), Ok(Fixed(2346)));
        assert_eq!(Quantity::Smoke.parse("1"), Ok(Fixed(1)));
        assert_eq!(Quantity::Smoke.parse("2"), Err(ValueError::NotAState));
        assert_eq!(Quantity::Smoke.checked(Fixed(-1)), Err(ValueError::NotAState));
        assert_eq!(Quantity::Co2.parse("abc"), Err(ValueError::NotFinite));
        assert_eq!(Quantity::Co2.checked(Fixed(FIXED_MAX + 1)), Err(ValueError::OutOfRange));
        assert_eq!(Quantity::Co2.checked(Fixed(i64::MIN)), Err(ValueError::OutOfRange));
        assert_eq!(Quantity::Temperature.fixed(-0.005), Ok(Fixed(-1)));
        assert_eq!(Quantity::Temperature.fixed(f64::NAN), Err(ValueError::NotFinite));
        assert_eq!(Quantity::Co2.fixed(1e300), Err(ValueError::OutOfRange));
        assert_eq!(Quantity::Temperature.exact(Fixed(-5)).to_string(), "-0.05");
    }
}
