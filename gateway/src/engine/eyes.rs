//! The gateway's own eyes: what is said of a camera that does not see.
use tuoan_protocol::Quantity;

/// The ways in which a camera does not see, as its own device reports them.
pub const BLINDNESS: [Quantity; 11] = [
    Quantity::CameraOffline,
    Quantity::CameraCovered,
    Quantity::CameraDark,
    Quantity::CameraOverexposed,
    Quantity::CameraDefocused,
    Quantity::CameraMoved,
    Quantity::CameraFrozen,
    Quantity::CameraLooped,
    Quantity::CameraClock,
    Quantity::CameraLowResolution,
    Quantity::CameraLowRate,
];

/// Whether nothing that such a camera shows can be gone by. With a wrong clock or too few frames it shows the room still, only later or less often;
/// moved, it shows another place than its areas say.
pub fn takes_sight(blindness: &Quantity) -> bool {
    BLINDNESS.contains(blindness) && !matches!(blindness, Quantity::CameraClock | Quantity::CameraLowRate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantity_of_a_camera_is_a_kind_of_blindness() {
        let named: Vec<_> = Quantity::ALL.iter().filter(|q| q.name().starts_with("camera_")).cloned().collect();
        assert_eq!(named, BLINDNESS);
        assert!(takes_sight(&Quantity::CameraMoved) && !takes_sight(&Quantity::CameraLowRate) && !takes_sight(&Quantity::People));
    }
}
