//! Pages, fragments, styles and scripts go out compressed: a phone at the edge of the yard waits for bytes, not for us.
//!
//! What must hold: nothing that repeats what the request said is compressed together with a form's token, or the length would tell it letter by letter
//! (BREACH); so a request with a query gets its answer as it is. Streams go out as they come.
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// Less is not worth it, and more is none of ours.
const LEAST: u64 = 1024;
const MOST: u64 = 4 << 20;
/// Most of the gain for a third of the work.
const LEVEL: u32 = 4;

fn takes_gzip(headers: &HeaderMap) -> bool {
    let names = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let mut names = names.map(|n| n.split_once(';').map_or((n.trim(), ""), |(n, q)| (n.trim(), q.trim())));
    names.any(|(name, q)| name.eq_ignore_ascii_case("gzip") && !matches!(q, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    ["text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"].iter().any(|k| kind.starts_with(k))
}

pub async fn squeeze(request: Request, next: Next) -> Response {
    let may = request.method() == Method::GET && request.uri().query().is_none() && takes_gzip(request.headers());
    let response = next.run(request).await;
    let size = response.body().size_hint().exact().unwrap_or(0);
    let fits = (LEAST..=MOST).contains(&size) && is_text(response.headers()) && !response.headers().contains_key(header::CONTENT_ENCODING);
    if !may || !fits {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::try_from(MOST).unwrap_or(usize::MAX)).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let plain = bytes.clone();
    let packed = tokio::task::spawn_blocking(move || {
        let mut gz = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::new(LEVEL));
        gz.write_all(&plain).and_then(|()| gz.finish())
    });
    let Ok(Ok(packed)) = packed.await else { return Response::from_parts(parts, Body::from(bytes)) };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(parts, Body::from(packed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::response::Html;
    use axum::routing::get;
    use std::io::Read;
    use tower::ServiceExt;

    async fn ask(path: &str, accepts: &str) -> (Option<String>, Vec<u8>) {
        let app = Router::new()
            .route("/", get(|| async { Html("托".repeat(4000)) }))
            .route("/small", get(|| async { Html("x") }))
            .route("/picture", get(|| async { ([(header::CONTENT_TYPE, "image/jpeg")], vec![7u8; 9000]) }))
            .layer(axum::middleware::from_fn(squeeze));
        let request = Request::get(path).header(header::ACCEPT_ENCODING, accepts).body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        let encoding = response.headers().get(header::CONTENT_ENCODING).map(|v| v.to_str().unwrap().to_owned());
        (encoding, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn what_is_packed_unpacks_and_what_may_not_be_packed_is_not() {
        let (encoding, packed) = ask("/", "br, gzip;q=0.8").await;
        assert!(encoding.as_deref() == Some("gzip") && packed.len() < 400);
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
        assert_eq!(text, "托".repeat(4000));
        for (path, accepts) in [("/", "br"), ("/", "gzip;q=0"), ("/?done=x", "gzip"), ("/small", "gzip"), ("/picture", "gzip")] {
            assert_eq!(ask(path, accepts).await.0, None, "{path} {accepts}");
        }
    }
}
