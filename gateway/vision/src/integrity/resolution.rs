//! The picture is too small for the camera's duty.
use super::hold::Look;

/// Turned pictures (a camera in a corridor) are judged by their longer side.
pub fn look(width: u32, height: u32, wanted_width: u32, wanted_height: u32) -> Look {
    let (long, short) = (width.max(height), width.min(height));
    let (wanted_long, wanted_short) = (wanted_width.max(wanted_height), wanted_width.min(wanted_height));
    if long < wanted_long || short < wanted_short { Look::Blind } else { Look::Sees }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_below_the_wanted_one_is_too_small_however_it_is_turned() {
        assert_eq!(look(640, 360, 320, 180), Look::Sees);
        assert_eq!(look(180, 320, 320, 180), Look::Sees);
        assert_eq!(look(160, 120, 320, 180), Look::Blind);
        assert_eq!(look(640, 160, 320, 180), Look::Blind);
    }
}
