//! A strict camera: it checks the token against its own clock, which is wrong, and answers as the examples of the ONVIF Application Programmer's
//! Guide (version 1.0, sections 4 and 5) and captured cameras do.
use super::*;
use crate::bridge::camera;
use crate::bridge::supervise::resolve;
use crate::config::Secret;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const USER: &str = "viewer";
const PASSWORD: &str = "right<horse>&1";
/// Its clock is an hour and more behind.
const BEHIND_MS: i64 = 4_000_000;

struct Camera {
    /// It asks for HTTP's digest, too.
    http_digest: bool,
    media: String,
    asked: AtomicUsize,
    refused: AtomicUsize,
}

fn soap(status: u16, body: &str) -> axum::response::Response {
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"><SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>"#
    );
    (axum::http::StatusCode::from_u16(status).unwrap(), [("content-type", "application/soap+xml; charset=utf-8")], text).into_response()
}

fn profile(token: &str, name: &str, encoding: &str, width: u32, height: u32) -> String {
    format!(
        r#"<trt:Profiles fixed="true" token="{token}"><tt:Name>{name}</tt:Name><tt:VideoSourceConfiguration token="VideoSourceToken"><tt:Name>VideoSourceConfig</tt:Name><tt:Bounds x="0" y="0" width="3840" height="2160"/></tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token="VideoEncoderToken"><tt:Name>VideoEncoder</tt:Name><tt:Encoding>{encoding}</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution><tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit></tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles>"#
    )
}

impl Camera {
    fn now_ms() -> i64 {
        Clock::System.utc_ms() - BEHIND_MS
    }

    /// By the UsernameToken profile: right digest, and a time within a minute of its own.
    fn knows(document: &roxmltree::Document<'_>) -> bool {
        let root = document.root_element();
        let get = |name| text(root, name);
        let (Some(user), Some(password), Some(nonce), Some(created)) = (get("Username"), get("Password"), get("Nonce"), get("Created"))
        else {
            return false;
        };
        let parse = |t: &str| time::PrimitiveDateTime::parse(t, &time::format_description::well_known::Iso8601::DEFAULT).ok();
        let Some(created_at) = parse(created) else { return false };
        let off = created_at.assume_utc().unix_timestamp() - Camera::now_ms() / 1000;
        let nonce = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, nonce).unwrap();
        assert_eq!(nonce.len(), 16);
        user == USER && off.abs() < 60 && password == soap::digest(&nonce, created, PASSWORD)
    }

    fn answer(&self, headers: &HeaderMap, body: &str, path: &str) -> axum::response::Response {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(!body.contains(PASSWORD) && !body.contains("right&lt;horse"), "no password in the clear");
        let document = roxmltree::Document::parse(body).unwrap();
        let asked = find(document.root_element(), "Body").unwrap().first_element_child().unwrap().tag_name().name();
        if asked == "GetSystemDateAndTime" {
            let now = time::OffsetDateTime::from_unix_timestamp(Camera::now_ms() / 1000).unwrap();
            return soap(
                200,
                &format!(
                    "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:UTCDateTime><tt:Time><tt:Hour>{}</tt:Hour><tt:Minute>{}</tt:Minute><tt:Second>{}</tt:Second></tt:Time><tt:Date><tt:Year>{}</tt:Year><tt:Month>{}</tt:Month><tt:Day>{}</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>",
                    now.hour(),
                    now.minute(),
                    now.second(),
                    now.year(),
                    u8::from(now.month()),
                    now.day()
                ),
            );
        }
        if self.http_digest {
            let challenge = r#"Digest realm="IPC", qop="auth", nonce="62fb10dacb7f08aa31fc""#;
            let right = headers.get("authorization").and_then(|v| v.to_str().ok()).is_some_and(|given| {
                let field = |name: &str| {
                    given.split_once(&format!("{name}=\"")).and_then(|(_, r)| r.split('"').next()).unwrap_or_default().to_owned()
                };
                let context = {
                    let mut c = AuthContext::new_with_method(USER, PASSWORD, path, None::<&[u8]>, HttpMethod::POST);
                    c.set_custom_cnonce(field("cnonce"));
                    c
                };
                field("uri") == path && field("response") == digest_auth::parse(challenge).unwrap().respond(&context).unwrap().response
            });
            if !right {
                return (axum::http::StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
            }
        } else if !Camera::knows(&document) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return soap(
                400,
                r#"<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value><SOAP-ENV:Subcode><SOAP-ENV:Value>ter:NotAuthorized</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code><SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">Sender not Authorized</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>"#,
            );
        }
        match (path, asked) {
            ("/onvif/device_service", "GetCapabilities") => soap(
                200,
                &format!(
                    "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>{}</tt:XAddr></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>",
                    self.media
                ),
            ),
            ("/onvif/device_service", "GetDeviceInformation") => soap(
                200,
                "<tds:GetDeviceInformationResponse><tds:Manufacturer>HIKVISION</tds:Manufacturer><tds:Model>DS-2CD2346G2</tds:Model><tds:FirmwareVersion>V5.7.3</tds:FirmwareVersion></tds:GetDeviceInformationResponse>",
            ),
            ("/onvif/media_service", "GetProfiles") => {
                let list = [
                    profile("Profile_1", "mainStream", "H264", 3840, 2160),
                    profile("Profile_3", "third", "H264", 1280, 720),
                    profile("Profile_2", "subStream", "H264", 640, 360),
                    // Without a picture, and with a size that is none.
                    r#"<trt:Profiles token="audio"><tt:Name>audio</tt:Name></trt:Profiles>"#.to_owned(),
                    profile("odd", "odd", "H264", 0, 99_999_999),
                ];
                soap(200, &format!("<trt:GetProfilesResponse>{}</trt:GetProfilesResponse>", list.concat()))
            }
            ("/onvif/media_service", "GetStreamUri") => {
                let root = document.root_element();
                assert_eq!((text(root, "Stream"), text(root, "Protocol")), (Some("RTP-Unicast"), Some("RTSP")));
                let channel = match text(root, "ProfileToken") {
                    Some("Profile_1") => 101,
                    Some("Profile_2") => 102,
                    Some("Profile_3") => 103,
                    _ => {
                        return soap(
                            400,
                            "<SOAP-ENV:Fault><SOAP-ENV:Reason><SOAP-ENV:Text>No such profile</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>",
                        );
                    }
                };
                // It thinks that it has another address than the one where it is reached.
                soap(
                    200,
                    &format!(
                        "<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>rtsp://192.168.0.64:554/Streaming/Channels/{channel}?transportmode=unicast&amp;profile=x</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>"
                    ),
                )
            }
            _ => soap(404, ""),
        }
    }
}

async fn camera(http_digest: bool, media: &str) -> (String, Arc<Camera>) {
    let camera = Arc::new(Camera { http_digest, media: media.into(), asked: AtomicUsize::new(0), refused: AtomicUsize::new(0) });
    let answer = async |State(camera): State<Arc<Camera>>, uri: axum::http::Uri, headers: HeaderMap, body: String| {
        camera.answer(&headers, &body, uri.path())
    };
    let router = Router::new().fallback(answer).with_state(Arc::clone(&camera));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, camera)
}

fn configured(host: &str, password: &str, profile: Wanted, width: u16) -> camera::Camera {
    camera::Camera {
        id: "cam-1".parse().unwrap(),
        source: camera::Source::Onvif { host: host.to_owned() },
        login: Some(Login { user: USER.into(), password: Secret::new(password) }),
        profile,
        fps: 1.0,
        width,
        decode: camera::Decode::Auto,
        stall: Duration::from_secs(10),
    }
}

const MEDIA: &str = "http://192.168.0.64/onvif/media_service";

#[tokio::test]
async fn the_smallest_stream_that_is_wide_enough_is_found_through_either_login() {
    for http_digest in [false, true] {
        let (host, _) = camera(http_digest, MEDIA).await;
        for (profile, width, channel) in [
            (Wanted::Smallest, 512, 102),
            (Wanted::Smallest, 1024, 103),
            (Wanted::Smallest, 8000, 101),
            (Wanted::Main, 512, 101),
            (Wanted::Named("third".into()), 512, 103),
        ] {
            let (url, about) = resolve(&configured(&host, PASSWORD, profile, width)).await.unwrap();
            // On the host where it was reached, not where it thinks it is.
            assert_eq!(url.to_string(), format!("rtsp://127.0.0.1:554/Streaming/Channels/{channel}?transportmode=unicast&profile=x"));
            assert_eq!((about.make.as_deref(), about.model.as_deref()), (Some("HIKVISION"), Some("DS-2CD2346G2")));
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_named_and_asked_with_once() {
    let (host, camera) = camera(false, MEDIA).await;
    let e = resolve(&configured(&host, "wrong", Wanted::Smallest, 512)).await.unwrap_err();
    assert_eq!(e, Cause::Refused);
    assert_eq!(camera.refused.load(Ordering::Relaxed), 1, "these cameras lock an account out");
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let (host, _) = camera(false, MEDIA).await;
    let e = resolve(&configured(&host, PASSWORD, Wanted::Named("nope".into()), 512)).await.unwrap_err();
    assert!(e.to_string().contains("there are Profile_1, Profile_3, Profile_2"), "{e}");
    let e = resolve(&configured("127.0.0.1:9", PASSWORD, Wanted::Smallest, 512)).await.unwrap_err();
    assert_eq!(e.key(), "unreachable");
    let (host, _) = self::camera(false, "file:///etc/passwd").await;
    let e = resolve(&configured(&host, PASSWORD, Wanted::Smallest, 512)).await.unwrap_err();
    assert!(e.to_string().contains("it is not http"), "{e}");
}

/// A peer that sends without end, or nothing at all, or what is no SOAP.
#[tokio::test]
async fn a_hostile_peer_costs_neither_memory_nor_a_panic() {
    let endless = async || {
        let stream = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b'<'; 8192])));
        axum::body::Body::from_stream(stream)
    };
    let text = async || "not xml <";
    for router in [Router::new().fallback(endless), Router::new().fallback(text)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let e = resolve(&configured(&host, PASSWORD, Wanted::Smallest, 512)).await.unwrap_err();
        assert_eq!(e.key(), "onvif", "{e}");
    }
}

/// Whatever a camera says of its stream, it stays one entry of the playlist, and one by RTSP.
#[test]
fn a_stream_address_with_quotes_is_refused() {
    for uri in ["rtsp://h/a'\nfile '/etc/passwd", "rtsp://u:p@h/x", "file:///etc/passwd"] {
        assert!(StreamUrl::new(uri).is_err(), "{uri}");
    }
}
