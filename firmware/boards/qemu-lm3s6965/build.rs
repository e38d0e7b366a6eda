//! Puts the memory map where the linker finds it, and the keys of those who may sign firmware into the program.
use std::{env, fmt::Write, fs, io, path::PathBuf};

const KEYS: &str = "TUOAN_NODE_KEYS";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::copy("memory.x", out.join("memory.x"))?;
    let given = env::var(KEYS).unwrap_or_default();
    let mut keys = String::from("&[");
    for key in given.split(',') {
        let bytes = (0..32).map(|i| key.get(2 * i..2 * i + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()));
        let Some(bytes) = bytes.collect::<Option<Vec<u8>>>().filter(|_| key.len() == 64) else {
            return Err(io::Error::other(format!(
                "{KEYS} must hold who may sign firmware: 64 hexadecimal digits as `tuoan firmware key` prints them, several with commas between"
            )));
        };
        write!(keys, "{bytes:?}, ").map_err(io::Error::other)?;
    }
    fs::write(out.join("keys.rs"), keys + "]")?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-env-changed={KEYS}");
    Ok(())
}
