//! Pictures of an incident: blurred stills as they are stored, and of the sealed originals the hashes alone.
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::Path;
use tuoan_protocol::IncidentId;
use tuoan_vision::blur::BlurredJpeg;

/// Stills in one file.
const STILLS: usize = 16;
/// Bytes of one.
const STILL: u64 = 2 << 20;
/// Sealed files of one incident that are listed.
const ORIGINALS: usize = 512;

/// Time and camera of each still, and the record. Only what this gateway has blurred itself is given out.
pub fn stills(data: &Path, incident: &IncidentId) -> Vec<(i64, String, Value)> {
    let found = crate::cameras::store::files_of(&data.join("stills"), incident);
    let read = |(still, path): (crate::cameras::store::Still, std::path::PathBuf)| {
        let mut bytes = Vec::new();
        std::fs::File::open(&path).ok()?.take(STILL + 1).read_to_end(&mut bytes).ok()?;
        let jpeg = BlurredJpeg::again(bytes).filter(|j| j.bytes().len() as u64 <= STILL)?;
        let (camera, jpeg) = (still.camera.as_str().to_owned(), jpeg.bytes());
        let record =
            json!({"camera": camera, "at": still.at, "sha256": hex::encode(Sha256::digest(jpeg)), "jpeg": BASE64_STANDARD.encode(jpeg)});
        Some((still.at, camera, record))
    };
    found.into_iter().filter_map(read).take(STILLS).collect()
}

/// Name of each sealed file, and the record: nobody can open them by it, and nobody can exchange one without being found out.
///
/// # Errors
/// A file cannot be read.
pub fn originals(data: &Path, incident: &IncidentId) -> io::Result<Vec<(String, Value)>> {
    // An id is a name of the gateway's making; as a path it must not lead anywhere else.
    if !incident.as_str().bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(Vec::new());
    }
    let folder = data.join("evidence").join(incident.as_str());
    let entries = match std::fs::read_dir(&folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names: Vec<_> = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_file())).map(|e| e.path()).collect();
    names.sort();
    let mut list = Vec::new();
    for path in names.into_iter().take(ORIGINALS) {
        let mut hash = Sha256::new();
        let bytes = io::copy(&mut std::fs::File::open(&path)?, &mut hash)?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        list.push((name.clone(), json!({"file": name, "bytes": bytes, "sha256": hex::encode(hash.finalize())})));
    }
    Ok(list)
}
