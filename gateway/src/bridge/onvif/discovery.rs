//! Who is there: WS-Discovery (OASIS 2005/04) as the ONVIF Core specification, section 7.3, uses it. One question by multicast, answers by unicast.
use super::soap::{parse, text};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// Where cameras listen.
pub const GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(239, 255, 255, 250)), 3702);
/// Most cameras that are listed, and most datagrams that are read: anybody on the network may answer.
const MAX_FOUND: usize = 256;
const MAX_DATAGRAMS: usize = 4096;

/// A camera that has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where the answer came from.
    pub address: IpAddr,
    pub name: String,
    pub hardware: String,
    /// Its device service, by its own word.
    pub service: String,
}

/// The question.
pub fn probe_message(id: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header><w:MessageID>{id}</w:MessageID><w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To><w:Action e:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header><e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"#
    )
}

/// Asks at `group` and listens for `wait`. `from` is the box's own address on the cameras' network; unspecified: wherever the default route leads.
///
/// # Errors
/// The question cannot be sent.
pub async fn probe(group: SocketAddr, from: IpAddr, wait: Duration) -> std::io::Result<Vec<Found>> {
    let socket = UdpSocket::bind((from, 0)).await?;
    // Version 4 (RFC 9562).
    let mut b = rand::random::<[u8; 16]>();
    (b[6], b[8]) = (b[6] & 0x0F | 0x40, b[8] & 0x3F | 0x80);
    let hex = hex::encode(b);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let id = format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
    let question = probe_message(&id);
    let (start, mut found) = (Instant::now(), BTreeMap::new());
    let mut buffer = vec![0u8; 65_536];
    socket.send_to(question.as_bytes(), group).await?;
    // Datagrams get lost: asked once more, with the same id.
    let mut again = Some(start + wait / 4);
    for _ in 0..MAX_DATAGRAMS {
        let until = again.unwrap_or(start + wait);
        match tokio::time::timeout_at(until, socket.recv_from(&mut buffer)).await {
            Ok(Ok((n, sender))) => {
                let text = String::from_utf8_lossy(buffer.get(..n).unwrap_or_default());
                for camera in matches(&text, &id, sender.ip()) {
                    if found.len() < MAX_FOUND {
                        found.insert((camera.address, camera.service.clone()), camera);
                    }
                }
            }
            // Of an answer that could not be received; the next one may.
            Ok(Err(_)) => {}
            Err(_) if again.take().is_some() => {
                socket.send_to(question.as_bytes(), group).await?;
            }
            Err(_) => break,
        }
    }
    Ok(found.into_values().collect())
}

/// The cameras of one answer to `id`.
pub fn matches(answer: &str, id: &str, sender: IpAddr) -> Vec<Found> {
    let Some(document) = parse(answer.trim_start_matches('\u{feff}').trim()) else { return Vec::new() };
    // Somebody else's answer; but some cameras name none.
    if text(document.root_element(), "RelatesTo").is_some_and(|r| !r.eq_ignore_ascii_case(id)) {
        return Vec::new();
    }
    let list = document.descendants().filter(|n| n.is_element() && n.tag_name().name() == "ProbeMatch");
    let read = |node| {
        let service = text(node, "XAddrs")?.split_whitespace().find(|a| a.starts_with("http"))?;
        // onvif://www.onvif.org/name/IPC%20Hall
        let scope = |kind: &str| {
            let scopes = text(node, "Scopes").unwrap_or_default();
            let prefix = format!("onvif://www.onvif.org/{kind}/");
            scopes.split_whitespace().find_map(|s| s.strip_prefix(prefix.as_str())).map(unescape).unwrap_or_default()
        };
        Some(Found { address: sender, name: scope("name"), hardware: scope("hardware"), service: service.chars().take(200).collect() })
    };
    list.filter_map(read).take(MAX_FOUND).collect()
}

/// `%20` and the like; no control characters, for it is printed.
fn unescape(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2)).flatten().and_then(|h| hex::decode(h).ok());
        match code.as_deref() {
            Some([byte]) => {
                out.push(*byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// After the ProbeMatches example of the ONVIF Application Programmer's Guide, version 1.0, section 5.2.
    fn answer(id: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><SOAP-ENV:Header><wsa:MessageID>uuid:1</wsa:MessageID><wsa:RelatesTo>{id}</wsa:RelatesTo><wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</wsa:Action></SOAP-ENV:Header><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch><wsa:EndpointReference><wsa:Address>uuid:abc</wsa:Address></wsa:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/hardware/DS-2CD2346G2 onvif://www.onvif.org/name/HIKVISION%20DS-2CD2346G2</d:Scopes><d:XAddrs>http://192.168.1.64/onvif/device_service http://[fe80::1]/onvif/device_service</d:XAddrs><d:MetadataVersion>10</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"#
        )
    }

    #[test]
    fn an_answer_names_the_camera() {
        let [found] = matches(&answer("urn:uuid:1"), "urn:uuid:1", HERE).try_into().unwrap();
        let want = ("HIKVISION DS-2CD2346G2", "DS-2CD2346G2", "http://192.168.1.64/onvif/device_service");
        assert_eq!((found.name.as_str(), found.hardware.as_str(), found.service.as_str()), want);
        assert!(matches(&answer("urn:uuid:1"), "urn:uuid:2", HERE).is_empty(), "an answer to somebody else");
    }

    #[tokio::test]
    async fn whoever_answers_is_listed_and_noise_is_not() {
        let camera = UdpSocket::bind((HERE, 0)).await.unwrap();
        let group = camera.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            let mut ids = Vec::new();
            for _ in 0..2 {
                let (n, who) = camera.recv_from(&mut buffer).await.unwrap();
                let text = String::from_utf8(buffer[..n].to_vec()).unwrap();
                let document = roxmltree::Document::parse(&text).unwrap();
                assert_eq!(super::text(document.root_element(), "Types"), Some("dn:NetworkVideoTransmitter"));
                let id = super::text(document.root_element(), "MessageID").unwrap().to_owned();
                for bytes in [b"\xff\xfe<<<".to_vec(), vec![b'<'; 60_000], answer("urn:uuid:else").into_bytes(), answer(&id).into_bytes()] {
                    camera.send_to(&bytes, who).await.unwrap();
                }
                ids.push(id);
            }
            assert_eq!(ids[0], ids[1], "asked again with the same id");
        });
        let found = probe(group, HERE, Duration::from_millis(400)).await.unwrap();
        answering.await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].address, HERE);
    }

    proptest! {
        #[test]
        fn hostile_answers_are_survived(noise in "\\PC{0,300}", cut in 0..1200usize) {
            let whole = answer("x");
            let at = whole.char_indices().map(|(i, _)| i).nth(cut).unwrap_or(0);
            for text in [noise.clone(), format!("{}{noise}", &whole[..at]), whole.replace("HIKVISION", &noise)] {
                for found in matches(&text, "x", HERE) {
                    prop_assert!(!found.name.chars().any(char::is_control));
                }
            }
        }
    }
}
