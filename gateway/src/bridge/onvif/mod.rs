//! ONVIF, as much of it as leads to a stream: device and media service (ONVIF Core and Media specifications, version 1 of the media service, which
//! every camera has), and discovery.
//!
//! A camera is asked at the address that the configuration gives, and only there: what it says of its own address is not followed, because
//! behind a router it is wrong, and because the password goes where the address points.
use super::camera::{Login, Profile as Wanted, StreamUrl};
use super::cause::Cause;
use super::outlet::About;
use crate::clock::Clock;
use digest_auth::{AuthContext, HttpMethod};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode, Url};
use soap::{MAX_ANSWER, envelope, escape, fault, find, parse, text};
use std::time::Duration;

pub mod discovery;
mod soap;
#[cfg(test)]
mod tests;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Profiles that are looked at.
const MAX_PROFILES: usize = 64;
/// Longest token of a profile.
const MAX_TOKEN: usize = 128;

/// One of the camera's streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub token: String,
    pub name: String,
    /// As the camera names it, e.g. `H264`.
    pub encoding: String,
    pub width: u32,
    pub height: u32,
    pub fps: Option<u32>,
}

/// The profile to decode.
///
/// # Errors
/// The one named is not there, or there is none at all.
pub fn choose<'a>(profiles: &'a [Profile], wanted: &Wanted, width: u16) -> Result<&'a Profile, Cause> {
    let size = |p: &&Profile| (u64::from(p.width) * u64::from(p.height), p.width);
    let found = match wanted {
        Wanted::Named(name) => {
            let found = profiles.iter().find(|p| p.token == *name || p.name == *name);
            return found.ok_or_else(|| {
                let list: Vec<&str> = profiles.iter().map(|p| p.token.as_str()).collect();
                Cause::Onvif(format!("there is no profile {name:?}; there are {}", list.join(", ")))
            });
        }
        Wanted::Main => profiles.iter().max_by_key(size),
        Wanted::Smallest => {
            let wide_enough = profiles.iter().filter(|p| p.width >= u32::from(width)).min_by_key(size);
            wide_enough.or_else(|| profiles.iter().max_by_key(size))
        }
    };
    found.ok_or_else(|| Cause::Onvif("the camera has no profile with a picture; set one up on its own page".into()))
}

/// A camera that answers.
pub struct Device<'l> {
    client: Client,
    host: String,
    login: Option<&'l Login>,
    /// The camera's clock less ours, milliseconds.
    ahead_ms: i64,
    device: Url,
    media: Url,
}

impl<'l> Device<'l> {
    /// `host` may have the port of the web service.
    ///
    /// # Errors
    /// It cannot be reached, refuses the login, or has no media service.
    pub async fn connect(host: &str, login: Option<&'l Login>) -> Result<Device<'l>, Cause> {
        let device: Url = format!("http://{host}/onvif/device_service").parse().map_err(|e| Cause::Onvif(format!("{host:?}: {e}")))?;
        // No redirects: what is signed is for this camera.
        let client =
            Client::builder().connect_timeout(ANSWER).timeout(ANSWER).redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        let client = client.map_err(|e| Cause::Onvif(e.to_string()))?;
        let host = device.host_str().unwrap_or_default().to_owned();
        let mut found = Device { client, host, login, ahead_ms: 0, media: device.clone(), device };
        found.ahead_ms = found.clock_ahead().await?;
        let body = r#"<GetCapabilities xmlns="http://www.onvif.org/ver10/device/wsdl"><Category>Media</Category></GetCapabilities>"#;
        let answer = found.ask(&found.device, body, true).await?;
        let document = parse(&answer).ok_or_else(odd)?;
        let media = find(document.root_element(), "Media").and_then(|m| text(m, "XAddr"));
        let media = media.ok_or_else(|| Cause::Onvif("the camera names no media service; turn ONVIF on in its network settings".into()))?;
        found.media = found.here(media)?;
        Ok(found)
    }

    /// What the camera says of itself.
    pub async fn about(&self) -> Result<About, Cause> {
        let answer = self.ask(&self.device, r#"<GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/>"#, true).await?;
        let document = parse(&answer).ok_or_else(odd)?;
        let get = |name| text(document.root_element(), name).map(|t| t.chars().filter(|c| !c.is_control()).take(64).collect());
        Ok(About { make: get("Manufacturer"), model: get("Model"), firmware: get("FirmwareVersion") })
    }

    /// Its profiles with a picture.
    pub async fn profiles(&self) -> Result<Vec<Profile>, Cause> {
        let answer = self.ask(&self.media, r#"<GetProfiles xmlns="http://www.onvif.org/ver10/media/wsdl"/>"#, true).await?;
        let document = parse(&answer).ok_or_else(odd)?;
        let all = document.descendants().filter(|n| n.is_element() && n.tag_name().name() == "Profiles");
        let read = |node: roxmltree::Node<'_, '_>| {
            let encoder = find(node, "VideoEncoderConfiguration")?;
            let resolution = find(encoder, "Resolution")?;
            let number = |node, name| text(node, name).and_then(|t: &str| t.parse::<u32>().ok()).filter(|n| (1..=65_535).contains(n));
            let token = node.attribute("token").filter(|t| !t.is_empty() && t.len() <= MAX_TOKEN)?;
            let short = |t: Option<&str>| t.unwrap_or_default().chars().filter(|c| !c.is_control()).take(64).collect();
            Some(Profile {
                token: token.to_owned(),
                // Its own name, before those of what it is put together from.
                name: short(node.children().find(|n| n.tag_name().name() == "Name").and_then(|n| n.text())),
                encoding: short(text(encoder, "Encoding")),
                width: number(resolution, "Width")?,
                height: number(resolution, "Height")?,
                fps: number(encoder, "FrameRateLimit"),
            })
        };
        Ok(all.filter_map(read).take(MAX_PROFILES).collect())
    }

    /// Where a profile's stream is.
    pub async fn stream(&self, profile: &Profile) -> Result<StreamUrl, Cause> {
        let body = format!(
            r#"<GetStreamUri xmlns="http://www.onvif.org/ver10/media/wsdl"><StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast</Stream><Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup><ProfileToken>{}</ProfileToken></GetStreamUri>"#,
            escape(&profile.token)
        );
        let answer = self.ask(&self.media, &body, true).await?;
        let document = parse(&answer).ok_or_else(odd)?;
        let uri = text(document.root_element(), "Uri").ok_or_else(|| Cause::Onvif("the camera names no stream for its profile".into()))?;
        StreamUrl::new(uri).and_then(|url| url.on_host(&self.host)).map_err(|e| Cause::Onvif(format!("the stream's address: {e}")))
    }

    /// Asked without a login, as the standard allows, because a login with a wrong time is refused.
    async fn clock_ahead(&self) -> Result<i64, Cause> {
        let answer = self.ask(&self.device, r#"<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>"#, false).await;
        match answer {
            Ok(answer) => Ok(utc_ms(&answer).map_or(0, |ms| ms.saturating_sub(Clock::System.utc_ms()))),
            // It does not tell strangers the time; ours must do.
            Err(Cause::Refused | Cause::Onvif(_)) => Ok(0),
            Err(cause) => Err(cause),
        }
    }

    /// An address of the camera's own on the host where it was reached.
    fn here(&self, address: &str) -> Result<Url, Cause> {
        let bad = |e: &dyn std::fmt::Display| Cause::Onvif(format!("the camera names an address that is none: {e}"));
        let mut url: Url = address.split_whitespace().next().unwrap_or_default().parse().map_err(|e| bad(&e))?;
        if url.scheme() != "http" {
            return Err(bad(&"it is not http"));
        }
        // Its port too is the one that was given: behind a router its own does not lead there.
        url.set_host(Some(&self.host)).map_err(|e| bad(&e))?;
        url.set_port(self.device.port()).map_err(|()| bad(&"its port"))?;
        Ok(url)
    }

    async fn ask(&self, url: &Url, body: &str, signed: bool) -> Result<String, Cause> {
        let login = self.login.filter(|_| signed);
        let mut response = self.post(url, body, login, None).await?;
        // Some makers want HTTP's digest beside the token or instead of it.
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(login) = login
            && let Some(authorization) = authorization(&response, login, url)
        {
            response = self.post(url, body, Some(login), Some(authorization)).await?;
        }
        let status = response.status();
        let answer = read(response).await?;
        let fault = parse(&answer).and_then(|d| fault(&d));
        match (status, fault) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) | (_, Some((_, true))) => Err(Cause::Refused),
            (_, Some((says, false))) => Err(Cause::Onvif(says)),
            (StatusCode::OK, None) => Ok(answer),
            (StatusCode::NOT_FOUND, None) => {
                Err(Cause::Onvif("there is no ONVIF service; turn it on in the camera's network settings".into()))
            }
            (status, None) => Err(Cause::Onvif(format!("the camera answers {status}"))),
        }
    }

    async fn post(&self, url: &Url, body: &str, login: Option<&Login>, authorization: Option<HeaderValue>) -> Result<Response, Cause> {
        let created = iso8601(Clock::System.utc_ms().saturating_add(self.ahead_ms));
        let text = envelope(body, login.map(|l| (l, rand::random::<[u8; 16]>(), created.as_str())));
        let mut request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/soap+xml; charset=utf-8").body(text);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        request.send().await.map_err(|e| {
            if e.is_timeout() {
                Cause::Unreachable("its ONVIF service does not answer in time")
            } else {
                Cause::Unreachable("its ONVIF service does not answer")
            }
        })
    }
}

fn odd() -> Cause {
    Cause::Onvif("the camera's answer is no SOAP message".into())
}

/// RFC 7616, for a camera that asks for it.
fn authorization(response: &Response, login: &Login, url: &Url) -> Option<HeaderValue> {
    let offered = response.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|v| v.to_str().ok());
    let mut digests: Vec<_> = offered.filter_map(|o| digest_auth::parse(o).ok()).collect();
    digests.sort_by_key(|d| d.algorithm.algo == digest_auth::AlgorithmType::MD5);
    let context = AuthContext::new_with_method(login.user.as_str(), login.password.reveal(), url.path(), None::<&[u8]>, HttpMethod::POST);
    let answer = digests.into_iter().next()?.respond(&context).ok()?;
    let mut value = HeaderValue::from_str(&answer.to_header_string()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

async fn read(mut response: Response) -> Result<String, Cause> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Cause::Unreachable("its ONVIF service breaks off"))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(Cause::Onvif(format!("the camera's answer has more than {MAX_ANSWER} bytes")));
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// `UTCDateTime` of an answer to `GetSystemDateAndTime`.
fn utc_ms(answer: &str) -> Option<i64> {
    let document = parse(answer)?;
    let utc = find(document.root_element(), "UTCDateTime")?;
    let number = |name: &str| text(utc, name).and_then(|t| t.parse::<i32>().ok());
    let month = time::Month::try_from(u8::try_from(number("Month")?).ok()?).ok()?;
    let date = time::Date::from_calendar_date(number("Year")?, month, u8::try_from(number("Day")?).ok()?).ok()?;
    let small = |name| number(name).and_then(|n| u8::try_from(n).ok());
    let clock = time::Time::from_hms(small("Hour")?, small("Minute")?, small("Second")?.min(59)).ok()?;
    i64::try_from(time::PrimitiveDateTime::new(date, clock).assume_utc().unix_timestamp_nanos() / 1_000_000).ok()
}

/// `2026-01-01T00:00:00Z`.
fn iso8601(ms: i64) -> String {
    let t = time::OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000)).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.year(), u8::from(t.month()), t.day(), t.hour(), t.minute(), t.second())
}
