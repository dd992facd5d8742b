//! Firefox's compressed JSON (`.jsonlz4`, `.mozlz4`): eight bytes of magic, the size as 32 bits, and one block of
//! LZ4.

use std::io::Read;

/// First bytes of such a file.
pub const MAGIC: &[u8] = b"mozLz40\0";

/// Largest content that is unpacked, in bytes.
const MAX_SIZE: usize = 512 << 20;

/// LZ4 cannot do better than this.
const MAX_RATIO: usize = 255;

/// Unpacks all of `input`; the error is what is to be said about it.
pub fn unpack(input: &mut dyn Read) -> Result<Vec<u8>, String> {
    let mut raw = Vec::new();
    let result = input.take(MAX_SIZE as u64 + 1).read_to_end(&mut raw);
    result.map_err(|e| format!("could not be read to its end ({e})"))?;
    let cut = || "the compressed JSON is cut off: copy it again".to_string();
    let size = raw.get(MAGIC.len()..MAGIC.len() + 4).ok_or_else(cut)?;
    let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
    if size > MAX_SIZE || raw.len() > MAX_SIZE {
        return Err("unpacks to more than 512 MiB; unpack it yourself and scan the JSON".into());
    }
    let block = &raw[MAGIC.len() + 4..];
    let damaged = || "the compressed JSON is damaged or cut off: copy it again".to_string();
    if size > block.len().saturating_mul(MAX_RATIO) {
        return Err(damaged());
    }
    let plain = lz4_flex::block::decompress(block, size).map_err(|_| damaged())?;
    if plain.len() < size {
        return Err(damaged());
    }
    Ok(plain)
}

/// Packs what was unpacked.
pub fn pack(plain: &[u8]) -> Vec<u8> {
    // Sizes over 32 bits are not unpacked.
    let size = (plain.len() as u32).to_le_bytes();
    [MAGIC, &size, &lz4_flex::block::compress(plain)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"a":"aaaa…"}` as a block: literals, a match of what stands one byte before, literals.
    fn packed(size: u32) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(size.to_le_bytes());
        out.extend(b"\x7F{\"a\":\"a\x01\x00\x05\x50aa\"} ");
        out
    }

    #[test]
    fn blocks_are_unpacked_and_bombs_are_not() {
        assert_eq!(
            unpack(&mut &packed(36)[..]).unwrap(),
            format!("{{\"a\":\"{}\"}} ", "a".repeat(27)).as_bytes()
        );
        for (bytes, word) in [
            (packed(u32::MAX), "512 MiB"),
            (packed(400 << 20), "damaged"),
            (packed(35), "damaged"),
            (packed(36)[..20].to_vec(), "damaged"),
            (MAGIC.to_vec(), "cut off"),
        ] {
            let text = unpack(&mut &bytes[..]).unwrap_err();
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for plain in [&b""[..], b"{}", &b"{\"a\":1}".repeat(5000)] {
            assert_eq!(unpack(&mut &pack(plain)[..]).unwrap(), plain);
        }
    }
}
