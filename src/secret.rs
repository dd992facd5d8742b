//! The one place where a credential's bytes may stand on their way out of a scan, and what may be told of them:
//! length, keyed fingerprint, and at most four characters; under `--reveal` alone the value itself, as another type.

use std::fmt;
use std::path::Path;

/// The key of a run: fingerprints of two runs can be compared only where they had the same key.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// What a key file must hold at least, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// Why no key could be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system for the fingerprint key: {0}")]
    Random(std::io::Error),
    /// The key file could not be read.
    #[error("cannot read the fingerprint key file {path}: {source}")]
    Read {
        /// The file, as it may be shown.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The key file holds too little.
    #[error(
        "the fingerprint key file {0} holds fewer than {MIN_KEY_BYTES} bytes; make one with: head -c 32 /dev/urandom > FILE"
    )]
    Short(String),
}

impl Key {
    /// A key for this run only.
    pub fn random() -> Result<Key, KeyError> {
        // A RandomState is seeded by the operating system; several are hashed so that no bit is left weak.
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = blake3::Hasher::new();
        for round in 0u64..8 {
            let mut state = std::collections::hash_map::RandomState::new().build_hasher();
            state.write_u64(round);
            hasher.update(&state.finish().to_le_bytes());
        }
        hasher.update(&std::process::id().to_le_bytes());
        if let Ok(mut urandom) = std::fs::File::open("/dev/urandom") {
            use std::io::Read;
            let mut bytes = [0; 32];
            urandom.read_exact(&mut bytes).map_err(KeyError::Random)?;
            hasher.update(&bytes);
        }
        Ok(Key(*hasher.finalize().as_bytes()))
    }

    /// The key that a file holds; all its bytes count.
    pub fn from_file(path: &Path) -> Result<Key, KeyError> {
        let shown = crate::report::safe::path(path);
        let bytes = std::fs::read(path).map_err(|source| KeyError::Read {
            path: shown.clone(),
            source,
        })?;
        if bytes.len() < MIN_KEY_BYTES {
            return Err(KeyError::Short(shown));
        }
        Ok(Key::from_bytes(&bytes))
    }

    /// The key made of these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Key {
        Key(blake3::derive_key("plainsight 2026-11 fingerprint key", bytes))
    }

    /// What tells two keys apart without telling either.
    pub fn id(&self) -> String {
        let hash = blake3::keyed_hash(&self.0, b"plainsight key id");
        hex16(u64::from_le_bytes(first8(&hash)))
    }

    /// The fingerprint of `bytes` under this key.
    pub fn fingerprint(&self, bytes: &[u8]) -> Fingerprint {
        Fingerprint(u64::from_le_bytes(first8(&blake3::keyed_hash(&self.0, bytes))))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

fn first8(hash: &blake3::Hash) -> [u8; 8] {
    let mut out = [0; 8];
    out.copy_from_slice(&hash.as_bytes()[..8]);
    out
}

/// A number as 16 hexadecimal digits.
pub fn hex16(n: u64) -> String {
    format!("{n:016x}")
}

/// A keyed hash of a value: equal values have equal fingerprints under one key, and nothing leads back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A credential's canonical value. It has no `Display`, no `Serialize`, and a `Debug` that tells its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

/// From this length on a preview may be shown, in bytes.
const PREVIEW_FROM: usize = 16;

impl Secret {
    /// Takes the canonical bytes.
    pub fn new(bytes: &[u8]) -> Secret {
        Secret(bytes.into())
    }

    /// Length of the canonical value in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty (which no exposure's credential is).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its fingerprint under `key`.
    pub fn fingerprint(&self, key: &Key) -> Fingerprint {
        key.fingerprint(&self.0)
    }

    /// At most four leading characters of a long value that is no password, else nothing.
    pub fn preview(&self, is_password: bool) -> String {
        if is_password || self.0.len() < PREVIEW_FROM {
            return String::new();
        }
        self.0
            .iter()
            .take(4)
            .take_while(|b| b.is_ascii_graphic() && !b"<>&\"'`|=+@".contains(b))
            .map(|&b| b as char)
            .collect()
    }

    /// The bytes, for checks inside the scanner (checksums, expiry). Never for output.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The user's permission to show credentials. Whoever has none cannot make a [`Revealed`].
#[derive(Clone, Copy, Debug)]
pub struct Permit(());

impl Permit {
    /// The permission that `--reveal` gives; to be asked for there and nowhere else.
    pub fn asked_for() -> Permit {
        Permit(())
    }
}

/// The longest value that is shown, in bytes.
const REVEALED: usize = 4096;

/// A credential that may be shown: what is hidden in it is escaped, and it is cut where it is very long.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Revealed(Box<str>);

impl fmt::Display for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revealed({} bytes)", self.0.len())
    }
}

impl Secret {
    /// The value itself, for whoever has permission.
    pub fn reveal(&self, _: Permit) -> Revealed {
        let mut out = String::new();
        crate::report::safe::push_bytes(&mut out, &self.0[..self.0.len().min(REVEALED)]);
        if self.0.len() > REVEALED {
            out.push('…');
        }
        Revealed(out.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_told_of_a_secret() {
        let long = Secret::new(b"q9Zt7LmK2vX8bN4cR6yW");
        assert_eq!(long.preview(false), "q9Zt");
        assert_eq!(long.preview(true), "");
        assert_eq!(Secret::new(b"q9Zt7LmK2vX8bN4").preview(false), "");
        assert_eq!(format!("{long:?}"), "Secret(20 bytes)");
    }

    #[test]
    fn fingerprints_follow_the_key() {
        let (a, b) = (
            Key::from_bytes(b"0123456789abcdef"),
            Key::from_bytes(b"0123456789abcdeg"),
        );
        assert_eq!(
            a.fingerprint(b"x"),
            Key::from_bytes(b"0123456789abcdef").fingerprint(b"x")
        );
        assert_ne!(a.fingerprint(b"x"), b.fingerprint(b"x"));
        assert_ne!(a.id(), b.id());
        assert_ne!(Key::random().unwrap().id(), Key::random().unwrap().id());
    }
}
