//! How a picture lies in a payload: as it is, in base64, in base64 behind `data:image/jpeg;base64,`, or as such a text in a JSON object.
use super::jpeg::Spoilt;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

/// Where most programs put the picture in a JSON object.
pub const USUAL_POINTER: &str = "/image";

/// Small boards leave the padding out.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Why there is no JPEG in a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPicture {
    #[error(transparent)]
    Spoilt(#[from] Spoilt),
    #[error("is neither a JPEG, nor base64 of one, nor a JSON object that holds it")]
    Unknown,
    #[error("is no base64: {0}")]
    Base64(base64::DecodeError),
    #[error("is no JSON: {0}")]
    Json(String),
    #[error("has no text at {0:?}; give the [[vision.topic]] a `pointer` to the picture")]
    Pointer(String),
}

/// The JPEG's bytes. `pointer`: where in a JSON object (RFC 6901).
///
/// # Errors
/// When there is none.
pub fn jpeg(payload: &Bytes, pointer: &str) -> Result<Bytes, NoPicture> {
    if payload.starts_with(&[0xFF, 0xD8]) {
        return Ok(payload.clone());
    }
    let text = payload.trim_ascii();
    if text.starts_with(b"{") {
        let json: serde_json::Value = serde_json::from_slice(text).map_err(|e| NoPicture::Json(e.to_string()))?;
        let inner = json.pointer(pointer).and_then(serde_json::Value::as_str);
        return from_text(inner.ok_or_else(|| NoPicture::Pointer(pointer.to_owned()))?.as_bytes());
    }
    from_text(text)
}

fn from_text(text: &[u8]) -> Result<Bytes, NoPicture> {
    let text = text.trim_ascii();
    let base64 = match text.strip_prefix(b"data:image/jpeg;base64,").or_else(|| text.strip_prefix(b"data:image/jpg;base64,")) {
        Some(base64) => base64,
        None if text.starts_with(BASE64_JPEG) => text,
        None => return Err(NoPicture::Unknown),
    };
    // Broken into lines, as in mail.
    let decoded = if base64.iter().any(u8::is_ascii_whitespace) {
        BASE64.decode(base64.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<u8>>())
    } else {
        BASE64.decode(base64)
    };
    let jpeg = decoded.map_err(NoPicture::Base64)?;
    if jpeg.starts_with(&[0xFF, 0xD8]) { Ok(jpeg.into()) } else { Err(NoPicture::Spoilt(Spoilt::NotAJpeg)) }
}

/// What base64 of a JPEG begins with.
const BASE64_JPEG: &[u8] = b"/9j/";
/// What pictures begin with: JPEG, PNG, GIF, WebP; then the same in base64.
const BEGINNINGS: [&[u8]; 9] =
    [&[0xFF, 0xD8, 0xFF], b"\x89PNG\r\n", b"GIF8", b"RIFF", BASE64_JPEG, b"iVBORw0KGgo", b"R0lGOD", b"UklGR", b"data:image/"];

/// Whether a payload is a picture, by how it begins.
pub fn is_picture(payload: &[u8]) -> bool {
    let text = payload.trim_ascii_start();
    BEGINNINGS.iter().any(|b| payload.starts_with(b) || text.starts_with(b))
}

#[cfg(test)]
mod tests {
    use super::super::jpeg::tests::markers;
    use super::*;
    use proptest::prelude::*;

    fn encoded(jpeg: &[u8]) -> String {
        base64::engine::general_purpose::STANDARD.encode(jpeg)
    }

    #[test]
    fn every_way_gives_the_same_jpeg() {
        let whole = markers(640, 480, 101);
        let text = encoded(&whole);
        let lines: String = text.as_bytes().chunks(20).map(|l| format!("{}\r\n", std::str::from_utf8(l).unwrap())).collect();
        for (payload, pointer) in [
            (text.clone(), USUAL_POINTER),
            (text.trim_end_matches('=').to_owned(), USUAL_POINTER),
            (lines, USUAL_POINTER),
            (format!("data:image/jpeg;base64,{text}"), USUAL_POINTER),
            (format!("data:image/jpg;base64,{text}\n"), USUAL_POINTER),
            (format!(r#"{{"text":"x","image":"{text}"}}"#), USUAL_POINTER),
            (format!(r#" {{"a":[{{"imagebase64":"data:image/jpeg;base64,{text}"}}]}}"#), "/a/0/imagebase64"),
        ] {
            assert_eq!(jpeg(&payload.clone().into(), pointer).as_deref(), Ok(whole.as_slice()), "{payload}");
            assert!(crate::cameras::holds_picture(payload.as_bytes()), "{payload}");
        }
        let raw = Bytes::from(whole.clone());
        assert_eq!(jpeg(&raw, USUAL_POINTER).unwrap().as_ptr(), raw.as_ptr(), "no copy of bare bytes");
    }

    #[test]
    fn says_what_is_missing() {
        for (payload, says) in [
            ("", "neither"),
            ("ON", "neither"),
            ("iVBORw0KGgo=", "neither"),
            ("/9j/4AA!", "base64"),
            ("data:image/jpeg;base64,AAAA", "no JPEG"),
            ("{", "JSON"),
            (r#"{"picture":"/9j/"}"#, "pointer"),
            (r#"{"image":7}"#, "pointer"),
        ] {
            let error = jpeg(&payload.to_owned().into(), USUAL_POINTER).unwrap_err().to_string();
            assert!(error.contains(says), "{payload}: {error}");
        }
    }

    #[test]
    fn readings_are_no_pictures() {
        for payload in [&br#"{"temperature":21.5}"#[..], b"ON", b"", b"\xa2\x61v\x01", b"21.5"] {
            assert!(!is_picture(payload));
        }
        assert!(is_picture(b"\xFF\xD8\xFF\xE0") && is_picture(b" data:image/png;base64,x") && !is_picture(br#"{"image":"/9j/4A"}"#));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[ {}\":a-z/9j=,]{0,40}") {
            let _ = jpeg(&bytes.into(), USUAL_POINTER);
            let _ = jpeg(&text.clone().into(), USUAL_POINTER);
            let _ = jpeg(&format!("/9j/{text}").into(), "");
        }
    }
}
