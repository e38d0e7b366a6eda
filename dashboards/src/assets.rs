//! Style, script and icon: embedded, served under a name that holds their hash, so they may be kept for ever.
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// Bytes of the hash in a URL; enough to tell versions apart.
const HASH: usize = 6;

/// `/assets/<hash>/<name>`.
pub fn url(name: &str) -> String {
    format!("/assets/{}/{name}", tag(name).unwrap_or_default())
}

fn tag(name: &str) -> Option<String> {
    let hash = Files::get(name)?.metadata.sha256_hash();
    Some(hex::encode(hash.get(..HASH)?))
}

/// Names of all assets.
pub fn names() -> Vec<String> {
    Files::iter().map(|n| n.into_owned()).collect()
}

/// The bytes of an asset.
pub fn bytes(name: &str) -> Option<Vec<u8>> {
    Files::get(name).map(|f| f.data.into_owned())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ext)| ext) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Serves `/assets/{hash}/{name}`. Another hash gets the present file too, but is told not to keep it.
pub async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let (Some(file), Some(tag)) = (Files::get(&name), tag(&name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!("\"{tag}\"");
    let cache = if hash == tag { "public, max-age=31536000, immutable" } else { "no-cache" };
    let unchanged =
        headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| v.split(',').any(|t| t.trim() == etag));
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type(&name))], file.data.into_owned()).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}
