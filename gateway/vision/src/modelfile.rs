//! A model's file: where it comes from, and what must hold before a backend sees it. For every learned model, also those that look at no picture.
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

/// What stands beside a model is small: a manifest, golden answers, a few pictures.
const LARGEST_BESIDE: u64 = 4 << 20;

/// What this program knows of a model: its contract, and the file that is built in. Another file of the same contract may take its place.
#[derive(Debug)]
pub struct Kind {
    /// `person-pose/1`: what goes in and comes out, and the version of that.
    pub contract: &'static str,
    /// The key of `[runtime]` that names a folder.
    pub key: &'static str,
    /// Bytes; a larger file is something else.
    pub largest: u64,
    pub model: &'static [u8],
    /// `model.toml`.
    pub manifest: &'static str,
    /// `golden.json` and the pictures that it names.
    pub beside: &'static [(&'static str, &'static [u8])],
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    #[default]
    BuiltIn,
    /// A folder with `model.onnx`, `model.toml` and, for the trial, `golden.json`.
    Folder(PathBuf),
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(
        "{} cannot be read: {detail}; put model.onnx, model.toml and golden.json there, or leave [runtime] {key} out for the built-in model",
        path.display()
    )]
    File { path: PathBuf, detail: String, key: &'static str },
    #[error("model.toml is wrong: {0}")]
    Manifest(String),
    #[error("the model is made for the contract {has:?}, this program knows {known:?}")]
    Contract { has: String, known: &'static str },
    #[error(
        "model.onnx has the SHA-256 {found}, model.toml says {said}: it is damaged or was exchanged; put the two files of one model there"
    )]
    Hash { found: String, said: String },
}

/// `model.toml`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub contract: String,
    /// Hexadecimal, of model.onnx.
    pub sha256: String,
    /// Of the models of a room: how many figures go in.
    pub features: Option<usize>,
}

/// A file that is what its manifest says.
#[derive(Debug)]
pub struct ModelFile {
    pub kind: &'static Kind,
    pub bytes: Cow<'static, [u8]>,
    /// Hexadecimal, in small letters.
    pub sha256: String,
    pub features: Option<usize>,
    source: Source,
}

impl Kind {
    /// # Errors
    /// The files cannot be read, or are not what they say they are.
    pub fn open(&'static self, source: &Source) -> Result<ModelFile, FileError> {
        match source {
            Source::BuiltIn => self.verify(Cow::Borrowed(self.model), self.manifest, source.clone()),
            Source::Folder(dir) => {
                let text = String::from_utf8(self.read(&dir.join("model.toml"), LARGEST_BESIDE)?);
                let text = text.map_err(|e| FileError::Manifest(e.to_string()))?;
                self.verify(Cow::Owned(self.read(&dir.join("model.onnx"), self.largest)?), &text, source.clone())
            }
        }
    }

    /// Holds bytes to their manifest, and the manifest to this contract. `source` is where [`ModelFile::beside`] will look.
    ///
    /// # Errors
    /// The manifest is none, or of another contract, or the bytes are not those that it names.
    pub fn verify(&'static self, bytes: Cow<'static, [u8]>, manifest: &str, source: Source) -> Result<ModelFile, FileError> {
        let says: Manifest = toml::from_str(manifest).map_err(|e| FileError::Manifest(e.to_string()))?;
        if says.contract != self.contract {
            return Err(FileError::Contract { has: says.contract, known: self.contract });
        }
        let sha256 = hex::encode(Sha256::digest(&bytes));
        if sha256 != says.sha256.to_ascii_lowercase() {
            return Err(FileError::Hash { found: sha256, said: says.sha256 });
        }
        Ok(ModelFile { kind: self, bytes, sha256, features: says.features, source })
    }

    fn read(&self, path: &Path, largest: u64) -> Result<Vec<u8>, FileError> {
        let failed = |detail: String| FileError::File { path: path.to_owned(), detail, key: self.key };
        let size = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.len();
        if size > largest {
            return Err(failed(format!("it has {size} bytes, {largest} at most")));
        }
        std::fs::read(path).map_err(|e| failed(e.to_string()))
    }
}

impl ModelFile {
    /// A file that stands beside the model: `golden.json`, or a picture that it names.
    ///
    /// # Errors
    /// There is none of that name, or it is no mere name.
    pub fn beside(&self, name: &str) -> Result<Cow<'static, [u8]>, FileError> {
        let missing = |detail: &str| FileError::File { path: PathBuf::from(name), detail: detail.to_owned(), key: self.kind.key };
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return Err(missing("it must stand beside the model"));
        }
        match &self.source {
            Source::BuiltIn => {
                let found = self.kind.beside.iter().find(|(n, _)| *n == name);
                found.map(|(_, bytes)| Cow::Borrowed(*bytes)).ok_or_else(|| missing("it is not built in"))
            }
            Source::Folder(dir) => self.kind.read(&dir.join(name), LARGEST_BESIDE).map(Cow::Owned),
        }
    }

    /// Which model it is, as shown to people: `person-pose/1 0a29ac4b`.
    pub fn name(&self) -> String {
        format!("{} {}", self.kind.contract, self.sha256.get(..8).unwrap_or_default())
    }
}

/// The contract of the model in a folder, by its manifest alone.
///
/// # Errors
/// The manifest cannot be read or is none.
pub fn contract_in(dir: &Path) -> Result<String, FileError> {
    let path = dir.join("model.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| FileError::Manifest(format!("{} cannot be read: {e}", path.display())))?;
    Ok(toml::from_str::<Manifest>(&text).map_err(|e| FileError::Manifest(e.to_string()))?.contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    static KIND: Kind = Kind {
        contract: "some/1",
        key: "some",
        largest: 100,
        model: b"model",
        // The SHA-256 of "model".
        manifest: "contract = \"some/1\"\nsha256 = \"9372C470EEADD5ECD9C3C74C2B3CB633F8E2F2FAD799250A0F70D652B6B825E4\"\n",
        beside: &[("golden.json", b"{}")],
    };

    fn refused(bytes: &'static [u8], manifest: &str) -> String {
        KIND.verify(Cow::Borrowed(bytes), manifest, Source::BuiltIn).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_used_only_if_it_is_what_its_manifest_says() {
        let file = KIND.open(&Source::BuiltIn).unwrap();
        assert_eq!(file.name(), "some/1 9372c470");
        assert_eq!(file.beside("golden.json").unwrap().as_ref(), b"{}");
        assert!(file.beside("other.json").is_err());
        assert!(refused(b"modem", KIND.manifest).contains("damaged or was exchanged"));
        assert!(refused(b"model", &KIND.manifest.replace("some/1", "some/2")).contains("\"some/2\", this program knows \"some/1\""));
        assert!(refused(b"model", "contract = 1").contains("model.toml is wrong"));
        assert!(refused(b"model", &format!("{}x = 1\n", KIND.manifest)).contains("model.toml is wrong"));
    }

    #[test]
    fn a_folder_takes_the_place_of_the_built_in_file() {
        let dir = tempfile::tempdir().unwrap();
        let open = || KIND.open(&Source::Folder(dir.path().to_owned()));
        let says = open().unwrap_err().to_string();
        assert!(says.contains("model.toml") && says.contains("[runtime] some"), "{says}");
        std::fs::write(dir.path().join("model.toml"), KIND.manifest).unwrap();
        assert_eq!(contract_in(dir.path()).unwrap(), "some/1");
        assert!(open().unwrap_err().to_string().contains("model.onnx"));
        std::fs::write(dir.path().join("model.onnx"), KIND.model).unwrap();
        let file = open().unwrap();
        assert!(file.beside("golden.json").unwrap_err().to_string().contains("golden.json"));
        // Nothing but what is in the folder.
        for name in ["../golden.json", "/etc/hostname", "", "a/b"] {
            assert!(file.beside(name).unwrap_err().to_string().contains("beside the model"), "{name:?}");
        }
        std::fs::write(dir.path().join("model.onnx"), [0; 101]).unwrap();
        assert!(open().unwrap_err().to_string().contains("101 bytes, 100 at most"));
    }
}
