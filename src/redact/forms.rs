//! How a credential is written where it is a part of what was encoded as a whole: base64 depends on what stands before,
//! and what was escaped before it was encoded cannot be undone from outside.

/// Ways to escape `value` in a text that is encoded as a whole, as far as they differ from it: as JSON, as JSON with `\/`, and
/// as addresses and forms do it.
pub(super) fn escaped_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let escape = |with: &dyn Fn(u8) -> Option<String>| {
        value
            .iter()
            .flat_map(|&b| with(b).map_or_else(|| vec![b], String::into_bytes))
            .collect::<Vec<u8>>()
    };
    let quote = |b: u8| b"\"\\".contains(&b).then(|| format!("\\{}", char::from(b)));
    let percent = |b: u8| (!b.is_ascii_alphanumeric() && !b"-._~".contains(&b)).then(|| format!("%{b:02X}"));
    let mut out = vec![
        escape(&quote),
        escape(&|b| quote(b).or((b == b'/').then(|| "\\/".into()))),
        escape(&percent),
    ];
    out.retain(|form| form != value);
    out.dedup();
    out
}

/// What every base64 text that holds `value` contains, for each place in a group of three and both alphabets.
pub(super) fn base64_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for before in 0..3usize {
        let padded = [&[0; 2][..before], value].concat();
        // Characters that hold bits of other bytes are left out at both ends.
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        for encoding in [data_encoding::BASE64_NOPAD, data_encoding::BASE64URL_NOPAD] {
            out.push(encoding.encode(&padded).as_bytes()[first..last].to_vec());
        }
    }
    out.sort();
    out.dedup();
    out
}

/// What base64 in either alphabet encodes; what is left of a group at its end is filled up.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let whole = text.len() / 4 * 4 + if text.len() % 4 > 1 { 4 } else { 0 };
    let letters = text.iter().map(|b| match b {
        b'-' => b'+',
        b'_' => b'/',
        b => *b,
    });
    let full: Vec<u8> = letters.chain([b'A'; 3]).take(whole).collect();
    data_encoding::BASE64_NOPAD.decode(&full).unwrap_or_default()
}
