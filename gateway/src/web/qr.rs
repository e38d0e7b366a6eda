//! QR codes as SVG, for pages and labels.
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// Empty where the text is too long for a code (about 1,600 bytes).
pub fn svg(text: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else { return String::new() };
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(160, 160).quiet_zone(true).build();
    // Without the XML declaration, which has no place within a page.
    drawn.find("<svg").and_then(|at| drawn.get(at..)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn drawn_as_shapes_alone() {
        let drawn = super::svg("http://192.168.1.2:8080/notice/0123456789abcdef<script>");
        assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>"), "{drawn}");
        assert!(!drawn.contains("style=") && !drawn.contains("script"), "nothing inline that the page's policy refuses");
        assert_eq!(super::svg(&"x".repeat(10_000)), "");
    }
}
