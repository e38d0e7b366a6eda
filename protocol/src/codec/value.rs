//! How a field's type is written: numbers, names, texts, enums.
use super::CodecError;
use super::cbor::{Out, wrong};
#[cfg(feature = "std")]
use super::json;
use crate::id::{NameError, OtherName};
use heapless::String as Text;
use minicbor::Decoder;
#[cfg(feature = "std")]
use std::string::String;

/// A field's value in both codecs. `field` is its name, for errors.
pub trait Value: Sized {
    /// Whether it is written at all.
    fn present(&self) -> bool {
        true
    }
    /// What stands for a field that was not given, if anything may.
    fn absent() -> Option<Self> {
        None
    }
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError>;
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError>;
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String);
    /// `raw` is one well-formed JSON value without white space around it.
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError>;
}

impl<T: Value> Value for Option<T> {
    fn present(&self) -> bool {
        self.is_some()
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        self.as_ref().map_or(Ok(()), |v| v.encode(out))
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        T::decode(input, field).map(Some)
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        if let Some(v) = self {
            v.write(out);
        }
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        T::read(raw, field).map(Some)
    }
}

macro_rules! integers {
    ($($t:ident $must:literal;)*) => {$(
        impl Value for $t {
            fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
                out.$t(*self)?;
                Ok(())
            }
            fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
                input.$t().map_err(|e| if e.is_end_of_input() { CodecError::Syntax(input.position()) } else { CodecError::Field(field, $must) })
            }
            #[cfg(feature = "std")]
            fn write(&self, out: &mut String) {
                out.push_str(&self.to_string());
            }
            #[cfg(feature = "std")]
            fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
                raw.parse().map_err(|_| CodecError::Field(field, $must))
            }
        }
    )*};
}
integers! {
    u8 "must be a whole number from 0 to 255";
    u16 "must be a whole number from 0 to 65535";
    u32 "must be a whole number from 0 to 4294967295";
    u64 "must be a whole number from 0 to 18446744073709551615";
    i64 "must be a whole number of 64 bits";
}

impl Value for bool {
    fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
        out.bool(*self)?;
        Ok(())
    }
    fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
        input.bool().map_err(|e| wrong(input, e, field, "must be true or false"))
    }
    #[cfg(feature = "std")]
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
    #[cfg(feature = "std")]
    fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
        raw.parse().map_err(|_| CodecError::Field(field, "must be true or false"))
    }
}

/// What is written as a text: the text, and the value of a text.
pub trait AsText: Sized {
    fn text(&self) -> &str;
    fn of(text: &str, field: &'static str) -> Result<Self, CodecError>;
}

macro_rules! texts {
    ($([$($generic:tt)*] $t:ty;)*) => {$(
        impl $($generic)* Value for $t {
            fn encode(&self, out: &mut Out<'_>) -> Result<(), CodecError> {
                out.str(self.text())?;
                Ok(())
            }
            fn decode(input: &mut Decoder<'_>, field: &'static str) -> Result<Self, CodecError> {
                Self::of(input.str().map_err(|e| wrong(input, e, field, "must be a text of definite length"))?, field)
            }
            #[cfg(feature = "std")]
            fn write(&self, out: &mut String) {
                json::quote(out, self.text());
            }
            #[cfg(feature = "std")]
            fn read(raw: &str, field: &'static str) -> Result<Self, CodecError> {
                Self::of(&json::text(raw).ok_or(CodecError::Field(field, "must be a string"))?, field)
            }
        }
    )*};
}
texts! {
    [] crate::SiteId; [] crate::DeviceId; [] crate::ZoneId; [] crate::HazardId; [] crate::RuleId; [] crate::EventId; [] crate::IncidentId;
    [] crate::LogId; [] crate::Quantity; [] crate::EventKind; [] crate::DeviceAction; [] crate::Presence; [] crate::Basis;
    [] crate::Transition; [] crate::InstitutionType; [] crate::SupervisingBody; [] crate::Inhibition; [] crate::CauseCode; [] crate::Via;
    [] crate::Rung; [] crate::Exercise; [] crate::UpdateStage;
    [<const N: usize>] Text<N>;
}

fn bad_name(field: &'static str, error: NameError, max: usize) -> CodecError {
    match error {
        NameError::Empty => CodecError::Field(field, "must not be empty"),
        NameError::TooLong => CodecError::TooLongText(field, max),
        NameError::Forbidden(_) => {
            CodecError::Field(field, "must hold no control character, space, / + # \" or \\, and must not start with $")
        }
    }
}

macro_rules! names {
    ($($t:ident)*) => {$(
        impl AsText for crate::$t {
            fn text(&self) -> &str { self.as_str() }
            fn of(text: &str, field: &'static str) -> Result<Self, CodecError> { Self::new(text).map_err(|e| bad_name(field, e, Self::MAX)) }
        }
    )*};
}
names! { SiteId DeviceId ZoneId HazardId RuleId EventId IncidentId LogId }

impl AsText for crate::Quantity {
    fn text(&self) -> &str {
        self.name()
    }
    fn of(text: &str, field: &'static str) -> Result<Self, CodecError> {
        Self::from_name(text).map_err(|e| bad_name(field, e, OtherName::MAX))
    }
}

impl<const N: usize> AsText for Text<N> {
    fn text(&self) -> &str {
        self.as_str()
    }
    fn of(text: &str, field: &'static str) -> Result<Self, CodecError> {
        Text::try_from(text).map_err(|_| CodecError::TooLongText(field, N))
    }
}

/// Wire names of an enum; with `Other`, a name that this version does not know is kept.
macro_rules! variants {
    ($t:ident { $($v:ident $name:literal)* }) => { variants!(@ $t { $($v $name)* } [] [_ => Err(())]); };
    ($t:ident { $($v:ident $name:literal)* } or Other) => {
        variants!(@ $t { $($v $name)* } [Self::Other(n) => n.as_str(),] [other => OtherName::new(other).map(Self::Other)]);
    };
    (@ $t:ident { $($v:ident $name:literal)* } [$($arm:tt)*] [$bind:pat => $unknown:expr]) => {
        impl crate::$t {
            /// Name on the wire.
            pub fn name(&self) -> &str { match self { $(Self::$v => $name,)* $($arm)* } }
        }
        impl AsText for crate::$t {
            fn text(&self) -> &str { self.name() }
            fn of(text: &str, field: &'static str) -> Result<Self, CodecError> {
                match text {
                    $($name => Ok(Self::$v),)*
                    $bind => $unknown.map_err(|_| CodecError::Field(field, concat!("must be one of", $(" ", $name),*))),
                }
            }
        }
    };
}
variants!(Presence { Online "online" Leaving "leaving" Offline "offline" });
variants!(Basis { Confirmed "confirmed" Inferred "inferred" });
variants!(Transition {
    Opened "opened" Raised "raised" Lowered "lowered" Reactivated "reactivated" Returned "returned" Acknowledged "acknowledged" Closed "closed"
    Gathered "gathered" Chattering "chattering" Escalated "escalated" Assigned "assigned" Commented "commented" Shelved "shelved"
    Suppressed "suppressed" OutOfService "out_of_service" Released "released" Resolved "resolved" Reopened "reopened" Merged "merged"
});
variants!(Inhibition { Shelved "shelved" Suppressed "suppressed" OutOfService "out_of_service" });
variants!(CauseCode { Real "real" False "false" Test "test" Maintenance "maintenance" });
variants!(Via { Page "page" Link "link" Platform "platform" Device "device" CommandLine "command_line" Gateway "gateway" });
variants!(Rung { Carer "carer" Director "director" Deputy "deputy" District "district" });
variants!(Exercise { Drill "drill" Canary "canary" Commissioning "commissioning" });
variants!(InstitutionType {
    Public "public" Employer "employer" Community "community" Private "private" Kindergarten "kindergarten" Station "station"
});
variants!(SupervisingBody { Health "health" Education "education" Township "township" Union "union" CivilAffairs "civil_affairs" });
variants!(UpdateStage {
    Wants "wants" Refused "refused" Restarts "restarts" Confirmed "confirmed" RolledBack "rolled_back"
});
variants!(EventKind {
    PanicPressed "panic_pressed" PanicCancelled "panic_cancelled" Test "test" ButtonPressed "button_pressed" CommandDone "command_done"
} or Other);
variants!(DeviceAction {
    SirenOn "siren_on" SirenOff "siren_off" BeaconOn "beacon_on" BeaconOff "beacon_off" ValveClose "valve_close" UvLampOff "uv_lamp_off" Unlock "unlock" Test "test"
} or Other);
