//! Orders of the gateway. They set a state and are repeated until they are confirmed, so a number that was carried out is passed over.
use super::message::Address;
use heapless::Deque;
use tuoan_protocol::id::OtherName;
use tuoan_protocol::{DeviceAction, DeviceCommand, DeviceId, SiteId, VERSION, Wire};

/// Numbers remembered.
const REMEMBERED: usize = 16;

/// Why an order is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    Malformed,
    /// For another device: the topic was ours, the message is not.
    NotOurs,
    Expired,
    /// Carried out before; the confirmation is under way.
    Done,
}

/// An order as it stands in JSON. Names need no escapes, so the texts are borrowed as they are.
#[derive(serde::Deserialize)]
struct Json<'a> {
    v: u8,
    site: &'a str,
    device: &'a str,
    id: u64,
    action: &'a str,
    #[serde(default)]
    expires: Option<i64>,
}

const ACTIONS: [DeviceAction; 8] = [
    DeviceAction::SirenOn,
    DeviceAction::SirenOff,
    DeviceAction::BeaconOn,
    DeviceAction::BeaconOff,
    DeviceAction::ValveClose,
    DeviceAction::UvLampOff,
    DeviceAction::Unlock,
    DeviceAction::Test,
];

/// JSON or CBOR, told apart by the first byte as everywhere.
fn read(payload: &[u8]) -> Option<DeviceCommand> {
    if matches!(payload.first(), Some(0xa0..=0xbf)) {
        return DeviceCommand::from_cbor(payload).ok();
    }
    let (json, used) = serde_json_core::from_slice::<Json<'_>>(payload).ok()?;
    if json.v != VERSION || used != payload.len() {
        return None;
    }
    let action = match ACTIONS.iter().find(|a| a.name() == json.action) {
        Some(action) => action.clone(),
        None => DeviceAction::Other(OtherName::new(json.action).ok()?),
    };
    let (site, device) = (SiteId::new(json.site).ok()?, DeviceId::new(json.device).ok()?);
    Some(DeviceCommand { site, device, id: json.id, action, expires: json.expires })
}

/// Which orders were carried out.
#[derive(Debug, Default)]
pub struct Orders(Deque<u64, REMEMBERED>);

impl Orders {
    /// The order in `payload`, if it is to be carried out now. `unix_ms`: the time, where it is known; a node without a clock acts on receipt.
    ///
    /// # Errors
    /// Why not.
    pub fn take(&self, address: &Address, payload: &[u8], unix_ms: Option<i64>) -> Result<DeviceCommand, Passed> {
        let order = read(payload).ok_or(Passed::Malformed)?;
        if order.site != address.site || order.device != address.device {
            return Err(Passed::NotOurs);
        }
        if order.expires.zip(unix_ms).is_some_and(|(expires, now)| now >= expires) {
            return Err(Passed::Expired);
        }
        if self.0.iter().any(|id| *id == order.id) { Err(Passed::Done) } else { Ok(order) }
    }

    /// It was carried out.
    pub fn done(&mut self, id: u64) {
        if self.0.is_full() {
            self.0.pop_front();
        }
        let _ = self.0.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address() -> Address {
        Address { site: SiteId::new("星源").unwrap(), device: DeviceId::new("siren-1").unwrap() }
    }
    const JSON: &str = r#"{"v":1,"site":"星源","device":"siren-1","id":7,"action":"siren_on","expires":1790000060000}"#;

    #[test]
    fn an_order_is_read_as_the_gateway_writes_it_and_as_cbor() {
        let order = Orders::default().take(&address(), JSON.as_bytes(), None).unwrap();
        assert_eq!((order.id, &order.action, order.expires), (7, &DeviceAction::SirenOn, Some(1_790_000_060_000)));
        let mut buf = [0; 128];
        let n = order.to_cbor(&mut buf).unwrap();
        assert_eq!(Orders::default().take(&address(), &buf[..n], None), Ok(order));
        let later = r#"{"v":1,"new":{"x":[1,"y"]},"site":"星源","device":"siren-1","id":8,"action":"dance"}"#;
        let order = Orders::default().take(&address(), later.as_bytes(), None).unwrap();
        assert!(matches!(order.action, DeviceAction::Other(_)), "{order:?}");
        let written = DeviceCommand { action: DeviceAction::Test, ..order }.to_json();
        assert!(Orders::default().take(&address(), written.as_bytes(), None).is_ok());
    }

    #[test]
    fn every_action_of_the_protocol_is_known() {
        for action in ACTIONS {
            let command = DeviceCommand { site: address().site, device: address().device, id: 1, action: action.clone(), expires: None };
            assert_eq!(Orders::default().take(&address(), command.to_json().as_bytes(), None).unwrap().action, action);
        }
    }

    #[test]
    fn what_is_late_repeated_or_not_ours_is_passed_over() {
        let mut orders = Orders::default();
        let take = |orders: &Orders, json: &str, now| orders.take(&address(), json.as_bytes(), now).map(|o| o.id);
        assert_eq!(take(&orders, JSON, Some(1_790_000_060_000)), Err(Passed::Expired));
        assert_eq!(take(&orders, JSON, Some(1_790_000_059_999)), Ok(7));
        orders.done(7);
        assert_eq!(take(&orders, JSON, None), Err(Passed::Done));
        for id in 100..116 {
            orders.done(id);
        }
        assert_eq!(take(&orders, JSON, None), Ok(7), "sixteen orders ago");
        assert_eq!(take(&orders, &JSON.replace("siren-1", "siren-2"), None), Err(Passed::NotOurs));
        for bad in ["", "{", "null", &JSON.replace("\"v\":1", "\"v\":2"), &format!("{JSON} x")] {
            assert_eq!(take(&orders, bad, None), Err(Passed::Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(noise in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..90) {
            let _ = Orders::default().take(&address(), &noise, None);
            let _ = Orders::default().take(&address(), &JSON.as_bytes()[..cut.min(JSON.len())], None);
        }
    }
}
