//! All devices that are remembered, in order of their ids.
//!
//! One message asks for one device many times, so the place where the last one was found is looked at first. A new device costs a move of
//! what stands behind it; there are few, and they seldom come.
use super::device::Device;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::Cell;
use tuoan_protocol::DeviceId;

/// A map of few keys. As bytes it is a map, too.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    list: Vec<(DeviceId, Box<Device>)>,
    last: Cell<usize>,
}

impl Devices {
    fn find(&self, id: &DeviceId) -> Result<usize, usize> {
        let last = self.last.get();
        if self.list.get(last).is_some_and(|(d, _)| d == id) {
            return Ok(last);
        }
        let found = self.list.binary_search_by(|(d, _)| d.cmp(id));
        if let Ok(i) = found {
            self.last.set(i);
        }
        found
    }
    pub fn get(&self, id: &DeviceId) -> Option<&Device> {
        self.list.get(self.find(id).ok()?).map(|(_, d)| &**d)
    }
    pub fn get_mut(&mut self, id: &DeviceId) -> Option<&mut Device> {
        let i = self.find(id).ok()?;
        self.list.get_mut(i).map(|(_, d)| &mut **d)
    }
    pub fn contains_key(&self, id: &DeviceId) -> bool {
        self.find(id).is_ok()
    }
    /// Adds it; one of that id is replaced.
    pub fn insert(&mut self, id: DeviceId, device: Device) {
        match self.find(&id) {
            Ok(i) => {
                if let Some((_, d)) = self.list.get_mut(i) {
                    **d = device;
                }
            }
            Err(i) => self.list.insert(i, (id, Box::new(device))),
        }
    }
    /// The device of that id, which is made if it is not there.
    pub fn get_or_default(&mut self, id: &DeviceId) -> &mut Device {
        let i = self.find(id).unwrap_or_else(|i| {
            self.list.insert(i, (id.clone(), Box::default()));
            i
        });
        &mut self.list[i].1
    }
    pub fn remove(&mut self, id: &DeviceId) -> Option<Device> {
        let i = self.find(id).ok()?;
        Some(*self.list.remove(i).1)
    }
    pub fn iter(&self) -> impl Iterator<Item = (&DeviceId, &Device)> {
        self.list.iter().map(|(id, d)| (id, &**d))
    }
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&DeviceId, &mut Device)> {
        self.list.iter_mut().map(|(id, d)| (&*id, &mut **d))
    }
    pub fn keys(&self) -> impl Iterator<Item = &DeviceId> {
        self.list.iter().map(|(id, _)| id)
    }
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Device> {
        self.list.iter_mut().map(|(_, d)| &mut **d)
    }
}

impl Serialize for Devices {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Devices {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Devices;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of devices")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Devices, A::Error> {
                let mut devices = Devices::default();
                while let Some((id, device)) = map.next_entry()? {
                    devices.insert(id, device);
                }
                Ok(devices)
            }
        }
        d.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_a_map_and_its_bytes_are_those_of_one() {
        let (mut devices, mut map) = (Devices::default(), BTreeMap::new());
        for (n, id) in ["door", "air", "smoke", "air", "gas"].iter().enumerate() {
            let id: DeviceId = id.parse().unwrap();
            let device = Device { first_heard: Some(n as i64), ..Device::default() };
            devices.insert(id.clone(), device.clone());
            map.insert(id, device);
        }
        let bytes = minicbor_serde::to_vec(&devices).unwrap();
        assert_eq!(bytes, minicbor_serde::to_vec(&map).unwrap());
        let again: Devices = minicbor_serde::from_slice(&bytes).unwrap();
        assert!(again.keys().eq(map.keys()));
        for id in map.keys() {
            assert_eq!(devices.get(id).and_then(|d| d.first_heard), map[id].first_heard);
        }
        let air = "air".parse().unwrap();
        assert!(devices.remove(&air).is_some() && devices.remove(&air).is_none() && !devices.contains_key(&air));
        assert_eq!(devices.get_or_default(&air).first_heard, None);
        assert_eq!(devices.keys().map(|d| d.as_str()).collect::<Vec<_>>(), ["air", "door", "gas", "smoke"]);
    }
}
