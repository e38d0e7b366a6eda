//! Frigate's snapshots, `<base>/<camera>/<object>/snapshot`: a JPEG of the best moment of each tracked object, retained.
//!
//! They come only while Frigate tracks something, and cropped around it unless its `mqtt:` section says `crop: false`: good for a second look,
//! too few for a room that must be watched all the time (the camera is reported as sending too few frames). For that, map Frigate's own camera
//! with `tuoan camera-bridge`.
use crate::decode::frigate;
use tuoan_protocol::DeviceId;

/// What a picture on this topic is; `None`: the topic is not Frigate's.
pub(super) fn owner(topic: &str) -> Option<Snapshot> {
    if !topic.ends_with("/snapshot") && !topic.ends_with("/thumbnail") {
        return None;
    }
    let mut levels = topic.split('/');
    let base = levels.next().filter(|base| frigate::is_base(base))?;
    let camera = levels.next()?;
    match (levels.next(), levels.next(), levels.next()) {
        (Some(_), Some("snapshot"), None) => frigate::camera_id(base, camera).map(Snapshot::Of),
        _ => Some(Snapshot::Other),
    }
}

pub(super) enum Snapshot {
    Of(DeviceId),
    /// Small pictures for its own pages.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_its_camera_s_whatever_it_shows() {
        for (topic, want) in [
            ("frigate/hall/person/snapshot", Some(Some("frigate.frigate.hall"))),
            ("Frigate-2/hall/dog/snapshot", Some(Some("frigate.Frigate-2.hall"))),
            ("frigate/hall/person/thumbnail", Some(None)),
            ("frigate/hall/snapshot", Some(None)),
            ("frigate/events", None),
            ("other/hall/person/snapshot", None),
            ("frigate/hall/snapshots/state", None),
        ] {
            let got = owner(topic).map(|s| match s {
                Snapshot::Of(id) => Some(id.to_string()),
                Snapshot::Other => None,
            });
            assert_eq!(got, want.map(|w| w.map(str::to_owned)), "{topic}");
        }
    }
}
