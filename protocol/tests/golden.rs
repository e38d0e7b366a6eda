//! Bytes that other versions and other implementations rely on. If one of these tests fails, the format has changed: raise
//! `tuoan_protocol::VERSION` or take the change back.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod samples;

use tuoan_protocol::{CodecError, Wire};

fn check<T: Wire + PartialEq + std::fmt::Debug>(message: &T, json: &str, cbor: &str) {
    assert_eq!(message.to_json(), json);
    assert_eq!(hex::encode(message.to_cbor_vec().unwrap()), cbor);
    assert_eq!(T::from_json(json.as_bytes()).as_ref(), Ok(message));
    assert_eq!(T::from_cbor(&hex::decode(cbor).unwrap()).as_ref(), Ok(message));
    assert_eq!(T::from_bytes(json.as_bytes()).as_ref(), Ok(message));
    assert_eq!(T::from_bytes(&hex::decode(cbor).unwrap()).as_ref(), Ok(message));
    assert_eq!(message.to_json_value(), serde_json::from_str::<serde_json::Value>(json).unwrap());
}

macro_rules! golden {
    ($($test:ident = $message:expr;)*) => {$(
        #[test]
        fn $test() {
            check(
                &$message,
                include_str!(concat!("golden/", stringify!($test), ".json")).trim_end(),
                include_str!(concat!("golden/", stringify!($test), ".cbor.hex")).trim_end(),
            );
        }
    )*};
}

golden! {
    telemetry = samples::telemetry();
    backlog = samples::backlog();
    event = samples::event();
    status = samples::status();
    birth = samples::birth();
    will = samples::will();
    command = samples::command();
    frame = samples::frame();
    offer = samples::offer();
    chunk = samples::chunk();
    progress = samples::progress();
    refused_update = samples::refused_update();
    settings = samples::settings();
    applied = samples::applied();
    incident = samples::incident();
    bare_incident = samples::bare_incident();
}

#[test]
fn a_frame_is_a_header_and_exactly_its_picture() {
    let header = samples::frame();
    let mut bytes = header.to_cbor_vec().unwrap();
    bytes.extend_from_slice(b"\xff\xd8pic");
    assert_eq!(tuoan_protocol::FrameHeader::split(&bytes), Ok((header, &b"\xff\xd8pic"[..])));
    bytes.push(0);
    assert!(matches!(tuoan_protocol::FrameHeader::split(&bytes), Err(CodecError::Field("size", _))));
}
