use super::*;
use crate::decode::testing::{check, decode};

#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("pir", r#"+onvif.00408C123456 name="00408C123456" make="Axis" model="camera"; onvif.00408C123456@1590258472044: motion=1"#),
    ("pir-old-prefix", "onvif.00408C123456@1590258472044: motion=1"),
    ("pir-off", "onvif.00408C123456@1590045190230: motion=0"),
];

#[test]
fn captured_messages() {
    check("onvif", || Box::new(Onvif::default()), true, TABLE);
}
