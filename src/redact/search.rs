//! The search for removed credentials: as they are and in base64, and both of them however often they were escaped.
//!
//! A text is searched as it stands, and once more where something in it is escaped: around such a place the escapes are
//! undone ([`unescape`](super::unescape)) as far as what comes out could belong to a credential. No byte is read more than
//! a few times, whatever the text, and where nothing is escaped nothing is done.

use super::forms::{base64_forms, decode, escaped_forms};
use super::kept::{Kept, SHORTEST};
use super::style::Units;
pub use super::table::Match;
use super::table::Table;
use super::unescape::{Source, Symbol, Wide, canonical, plain, symbol};
use crate::secret::Fingerprint;
use memchr::memmem;
use std::ops::Range;

/// Longest anchor, in characters.
const LONGEST_ANCHOR: usize = 20;

/// Unescaped bytes that are searched at a time.
const PIECE: usize = 64 << 10;

/// Looks for removed credentials.
pub struct Searcher {
    units: Units,
    table: Table,
    /// Bytes that may belong to what is looked for.
    own: [bool; 256],
    /// Whether blanks do, which forms write as `+`.
    blanks: bool,
    /// How character references with a number begin.
    numbered: memmem::Finder<'static>,
    /// Whether those with a name are looked for, too: only what stands for one is written so.
    named: bool,
    /// Whether all base64 is looked into for what is escaped in it.
    deep: bool,
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Searcher({} patterns)", self.table.len())
    }
}

/// How a value may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Base64,
    /// In base64 of a text in which it is escaped.
    EscapedBase64,
}

impl Searcher {
    /// For sources in these units, with nothing to look for yet.
    pub fn new(units: Units) -> Searcher {
        Searcher::anchored(units, SHORTEST)
    }

    /// For what was removed from a source in these units.
    pub fn of(kept: &Kept, units: Units) -> Searcher {
        let shortest = kept
            .iter()
            .flat_map(|(_, value)| [value.len(), canonical(value).len()])
            .min()
            .unwrap_or(SHORTEST);
        let mut searcher = Searcher::anchored(units, shortest.clamp(SHORTEST, LONGEST_ANCHOR));
        // Of very many, each is looked for in its plain form first.
        for form in [Form::Plain, Form::Base64, Form::EscapedBase64] {
            kept.iter().for_each(|(f, v)| searcher.form(f, v, form));
        }
        searcher
    }

    fn anchored(units: Units, anchor: usize) -> Searcher {
        let mut own = [false; 256];
        let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(&b);
        (0..=u8::MAX).for_each(|b| own[usize::from(b)] = base64(b));
        Searcher {
            units,
            table: Table::new(anchor),
            own,
            blanks: false,
            numbered: memmem::Finder::new("&#"),
            named: false,
            deep: false,
        }
    }

    /// The same, which looks into all base64 as well for what is escaped in it: in captures bodies are written so. It
    /// takes several times as long.
    pub fn deep(self) -> Searcher {
        Searcher { deep: true, ..self }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Looks for `value`, too, in all the forms that it can have.
    pub fn add(&mut self, fingerprint: Fingerprint, value: &[u8]) {
        if !self.table.knows(value) {
            for form in [Form::Plain, Form::Base64, Form::EscapedBase64] {
                self.form(fingerprint, value, form);
            }
        }
    }

    fn form(&mut self, fingerprint: Fingerprint, value: &[u8], form: Form) {
        match form {
            Form::Plain => {
                let undone = canonical(value);
                undone.iter().for_each(|b| self.own[usize::from(*b)] = true);
                if undone.contains(&b'+') {
                    self.blanks = true;
                    let blank = |b: &u8| if *b == b'+' { b' ' } else { *b };
                    let apart: Vec<u8> = value.iter().map(blank).collect();
                    self.table.add(fingerprint, &apart, false);
                }
                self.named |= undone.iter().any(|b| b"&<>\"'".contains(b));
                self.table.add(fingerprint, value, false);
                self.table.add(fingerprint, &undone, false);
            }
            Form::Base64 => base64_forms(value)
                .iter()
                .for_each(|form| self.table.add(fingerprint, form, true)),
            Form::EscapedBase64 => {
                for escaped in escaped_forms(value) {
                    for form in base64_forms(&escaped) {
                        self.table.add(fingerprint, &form, true);
                    }
                }
            }
        }
    }

    /// Appends every place in `text` where a removed credential stands, in order, without overlaps. Marks are
    /// passed over. Where it stands in base64, all that could belong to that base64 is taken.
    pub fn find(&self, text: &[u8], out: &mut Vec<Match>) {
        if self.table.is_empty() {
            return;
        }
        let first = out.len();
        if self.units == Units::Bytes {
            let widen = |free, range: Range<usize>| {
                let (begin, mut all) = (range.start, widen(range, free..text.len(), |n| text[n]));
                // The digits of an escape before it (`%22`, `\n`) are none of its letters.
                if let Some(marker @ (b'%' | b'\\')) = all.start.checked_sub(1).map(|n| text[n])
                    && let Some((found, next)) = symbol(&text, all.start - 1)
                    && found != Symbol::Byte(marker)
                {
                    all.start = next.clamp(all.start, begin);
                }
                all
            };
            self.table.find(text, widen, |found| out.push(found));
            self.escaped(text, out);
            if self.deep {
                self.stretches(text, out);
            }
        } else {
            let wide = Wide(text, self.units);
            let mut run = Run::default();
            for undo in [false, true] {
                let mut at = 0;
                while at < text.len() / 2 {
                    at = self.run(&wide, at, undo, &mut run, out);
                }
            }
            let width = self.units.width();
            for found in &mut out[first..] {
                found.range = found.range.start * width..found.range.end * width;
            }
        }
        join(out, first);
    }

    /// The first character reference from `at` on.
    fn reference(&self, text: &[u8], at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        if !self.named {
            return self.numbered.find(rest).map(|n| at + n);
        }
        // In addresses there are very many that are none.
        let begins = |n: &usize| match rest.get(n + 1..).unwrap_or_default() {
            [b'#', ..] | [b'l' | b'g', b't', b';', ..] => true,
            [b'a' | b'q', more @ ..] => more[..more.len().min(4)].contains(&b';'),
            _ => false,
        };
        memchr::memchr_iter(b'&', rest).find(begins).map(|n| at + n)
    }

    /// Appends the places where one stands escaped.
    fn escaped(&self, text: &[u8], out: &mut Vec<Match>) {
        let mut run = Run::default();
        let mut other = self.reference(text, 0);
        let mut at = 0;
        loop {
            if other.is_some_and(|n| n < at) {
                other = self.reference(text, at);
            }
            let upto = text.get(at..other.unwrap_or(text.len())).unwrap_or_default();
            let Some(marker) = memchr::memchr2(b'%', b'\\', upto).map(|n| at + n).or(other) else {
                return;
            };
            match symbol(&text, marker) {
                Some((found, _)) if self.owns(found) => {
                    let before = &text[at..marker];
                    let length = before.iter().rev().take_while(|b| self.owns(Symbol::Byte(**b)));
                    at = self.run(&text, marker - length.count(), true, &mut run, out);
                }
                Some((_, next)) => at = next,
                None => return,
            }
        }
    }

    /// Whether all of it may belong to what is looked for.
    fn owns(&self, symbol: Symbol) -> bool {
        let mut all = true;
        symbol.bytes(|b| all &= self.own[usize::from(b)] || b == b' ' && self.blanks);
        all
    }

    /// Searches what stands from `at` on up to what cannot belong to a credential; says where that ends. With `undo`
    /// escapes are undone.
    fn run<S: Source>(
        &self,
        source: &S,
        at: usize,
        undo: bool,
        run: &mut Run,
        out: &mut Vec<Match>,
    ) -> usize {
        let mut at = at;
        run.bytes.clear();
        run.places.clear();
        loop {
            let next = if undo {
                symbol(source, at)
            } else {
                plain(source, at)
            };
            let more = next.filter(|(found, _)| self.owns(*found));
            if let Some((found, end)) = more {
                let plus = |b| if undo && b == b' ' { b'+' } else { b };
                found.bytes(|b| {
                    run.bytes.push(plus(b));
                    let blank = b == b' ';
                    run.places.push(Place {
                        start: at,
                        end,
                        blank,
                    });
                });
                at = end;
                if run.bytes.len() < PIECE + self.table.longest {
                    continue;
                }
            }
            self.search(run, undo, out);
            match (more, next) {
                // What the end of a piece begins, the next one holds.
                (Some(_), _) => run.keep(self.table.longest),
                (None, Some((_, end))) => return end,
                (None, None) => return at,
            }
        }
    }

    fn search(&self, run: &Run, undone: bool, out: &mut Vec<Match>) {
        if self.deep {
            let place = |r: Range<usize>| run.places[r.start].start..run.places[r.end - 1].end;
            self.inside(&run.bytes, place, out);
        }
        let letter = |n: usize| if run.places[n].blank { b' ' } else { run.bytes[n] };
        // Digits of escapes that were not undone are no letters of base64: what is found is widened where they were.
        let widen = |free, range| {
            if undone {
                widen(range, free..run.bytes.len(), letter)
            } else {
                range
            }
        };
        self.table.find(&run.bytes, widen, |found| {
            let (first, last) = (found.range.start, found.range.end - 1);
            out.push(Match {
                range: run.places[first].start..run.places[last].end,
                fingerprint: found.fingerprint,
            });
        });
    }

    /// Searches what base64 in `text` encodes that stands as it is.
    fn stretches(&self, text: &[u8], out: &mut Vec<Match>) {
        let mut at = 0;
        while let Some(begin) = text[at..].iter().position(|b| is_base64(*b)).map(|n| at + n) {
            let rest = &text[begin..];
            let length = rest.iter().position(|b| !is_base64(*b)).unwrap_or(rest.len());
            at = begin + length;
            if length >= CODED {
                self.inside(&text[begin..at], |r| begin + r.start..begin + r.end, out);
            }
        }
    }

    /// Searches what base64 in `bytes` encodes; `place` says where what stands there is in the text.
    fn inside(&self, bytes: &[u8], place: impl Fn(Range<usize>) -> Range<usize>, out: &mut Vec<Match>) {
        let mut start = 0;
        for stretch in bytes.split(|b| !is_base64(*b)) {
            let all = start..start + stretch.len();
            start = all.end + 1;
            if stretch.len() < CODED {
                continue;
            }
            // Where a group of four begins is not known: what stands before may be a path.
            for shift in 0..4usize {
                let plain = decode(stretch.get(shift..).unwrap_or_default());
                if plain.len() < SHORTEST || memchr::memchr3(b'%', b'\\', b'&', &plain).is_none() {
                    continue;
                }
                let mut found = Vec::new();
                self.escaped(&plain, &mut found);
                found.sort_by_key(|m| m.range.start);
                let mut free = all.start;
                for m in found {
                    let at = |n: usize| (all.start + shift + n).min(all.end);
                    let coded = at(m.range.start / 3 * 4)..at(m.range.end.div_ceil(3) * 4);
                    if coded.start < free {
                        continue;
                    }
                    let range = widen(coded, free..all.end, |n| bytes[n]);
                    free = range.end;
                    out.push(Match {
                        range: place(range),
                        ..m
                    });
                }
            }
        }
    }
}

/// The least length of base64 in which an escaped credential stands.
const CODED: usize = SHORTEST.div_ceil(3) * 4;

/// Whether a byte belongs to base64 of either alphabet; padding does not.
fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"+/-_".contains(&b)
}

/// A stretch of text with its escapes undone, and where each byte of it stands.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

struct Place {
    start: usize,
    end: usize,
    /// Whether it is a blank, which is searched as `+`.
    blank: bool,
}

impl Run {
    /// Keeps so many of the last bytes.
    fn keep(&mut self, length: usize) {
        let gone = self.bytes.len().saturating_sub(length);
        self.bytes.drain(..gone);
        self.places.drain(..gone);
    }
}

/// All of the base64 around `range`, as far as it is free.
fn widen(range: Range<usize>, free: Range<usize>, letter: impl Fn(usize) -> u8) -> Range<usize> {
    let belongs = |n: usize, more: &[u8]| letter(n).is_ascii_alphanumeric() || more.contains(&letter(n));
    let Range { mut start, mut end } = range;
    // `=` before it parts a name from it, `=` after it is padding.
    while start > free.start && belongs(start - 1, b"+-_") {
        start -= 1;
    }
    while end < free.end && belongs(end, b"+-_=") {
        end += 1;
    }
    start..end
}

/// Puts what was found from `first` on in order, and makes one of what overlaps.
fn join(found: &mut Vec<Match>, first: usize) {
    found[first..].sort_by_key(|m| (m.range.start, std::cmp::Reverse(m.range.end)));
    let mut last = first;
    for n in first + 1..found.len() {
        if found[n].range.start < found[last].range.end {
            found[last].range.end = found[last].range.end.max(found[n].range.end);
        } else {
            last += 1;
            found.swap(last, n);
        }
    }
    found.truncate(found.len().min(last + 1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Coding;
    use proptest::prelude::*;

    fn searcher(values: &[Vec<u8>], units: Units) -> Searcher {
        let mut s = Searcher::new(units);
        for (n, v) in values.iter().enumerate() {
            s.add(Fingerprint(n as u64), v);
        }
        s
    }

    #[test]
    fn a_credential_is_found_in_every_form() {
        let value = b"Summer/2026+Rain?~".to_vec();
        let forms: Vec<Vec<u8>> = [b"".as_slice(), b"x", b"xy", b"xyz"]
            .iter()
            .flat_map(|before| {
                let text = [before, value.as_slice(), b"\"}"].concat();
                [
                    data_encoding::BASE64.encode(&text).into_bytes(),
                    data_encoding::BASE64URL_NOPAD.encode(&text).into_bytes(),
                    text,
                ]
            })
            .chain(escaped_forms(&value))
            .collect();
        for units in [Units::Bytes, Units::Little, Units::Big] {
            let s = searcher(std::slice::from_ref(&value), units);
            for form in &forms {
                let text = units.encode(&[b"a=".as_slice(), form, b" &rest of the line\n"].concat());
                let mut found = Vec::new();
                s.find(&text, &mut found);
                assert_eq!(found.len(), 1, "{units:?} {}", String::from_utf8_lossy(form));
            }
        }
    }

    /// A credential as programs write it, each with a piece of what stands around it.
    #[test]
    fn it_is_found_however_it_is_escaped() {
        let value = b"Sum/mer+20=26.Ra_in~x-y z".to_vec();
        let forms = [
            r"Sum%2Fmer%2B20%3D26.Ra_in~x-y%20z",
            r"Sum%2fmer%2B20%3d26%2ERa%5fin%7Ex%2Dy%20z",
            r"Sum/mer%2B20%3D26.Ra_in~x-y%20z",
            r"Sum%2Fmer%2B20%3D26.Ra_in~x-y+z",
            r"Sum%252Fmer%252B20%253D26.Ra_in~x-y%2520z",
            r"Sum%252fmer%25252B20%253D26.Ra_in%7ex-y+z",
            r"Sum\/mer+20=26.Ra_in~x-y z",
            r"Sum\/mer\u002b20\u003d26.Ra_in~x-y z",
            r"Sum\\\/mer\\u002B20\\u003D26.Ra_in~x-y z",
            r"Sum%5C%2Fmer%5Cu002b20%3D26.Ra_in~x-y+z",
            r"Sum\x2Fmer+20=26.Ra_in~x-y\x20z",
            r"Sum&#x2F;mer+20&#x3D;26.Ra_in~x-y z",
            r"%53%75%6d%2f%6d%65%72%2b%32%30%3d%32%36%2e%52%61%5f%69%6e%7e%78%2d%79%20%7a",
            r"\u0053um/mer+20=26.Ra_in~x-y z",
            "Sum/mer 20=26.Ra_in~x-y z",
        ];
        let around = [
            ("a=", "&b=1"),
            ("%22", "%22"),
            ("\"", "\""),
            (r"\n", r"\n"),
            ("", ""),
            ("100% ", " %zz \\"),
        ];
        for units in [Units::Bytes, Units::Little, Units::Big] {
            let s = searcher(std::slice::from_ref(&value), units);
            for (form, (before, after)) in forms.iter().flat_map(|f| around.map(|a| (f, a))) {
                let text = format!("x%20\\u00e9 {before}{form}{after} &rest of the line\n");
                let raw = units.encode(text.as_bytes());
                let mut found = Vec::new();
                s.find(&raw, &mut found);
                assert_eq!(found.len(), 1, "{units:?} {text}");
                let got = units.decode(&raw[found[0].range.clone()]).into_owned();
                assert_eq!(String::from_utf8(got).unwrap(), *form, "{units:?} {text}");
            }
        }
    }

    /// Base64 may be escaped as well, and what is in it.
    #[test]
    fn it_is_found_in_escaped_base64() {
        let value = b"Sum/mer+20=26.Ra?in~x".to_vec();
        let s = searcher(std::slice::from_ref(&value), Units::Bytes);
        for inner in escaped_forms(&value).iter().chain([&value]) {
            let coded = data_encoding::BASE64.encode(&[b"{\"a>\":\"??", &inner[..], b"\"}"].concat());
            let mut all = String::new();
            coded.bytes().for_each(|b| {
                all += &if b.is_ascii_alphanumeric() {
                    char::from(b).into()
                } else {
                    format!("%25{b:02X}")
                }
            });
            for form in [&coded, &all, &coded.replace('/', "\\/"), &coded.replace('+', " ")] {
                let mut found = Vec::new();
                s.find(format!("a {form} b%20c").as_bytes(), &mut found);
                assert_eq!(found.len(), 1, "{form}");
            }
        }
    }

    #[test]
    fn escapes_before_base64_stay_whole() {
        let value = b"password-is-this".to_vec();
        let coded = data_encoding::BASE64.encode(b"{\"p\":\"password-is-this\",\"q\":1}");
        for (before, after) in [
            ("%22", "%22"),
            (r"\n", r"\n"),
            (r"\x22", r"\x22"),
            ("%2522", "%2522"),
            ("100%", " "),
        ] {
            let text = format!("a {before}{coded}{after} b");
            for units in [Units::Bytes, Units::Little] {
                let raw = units.encode(text.as_bytes());
                let mut found = Vec::new();
                searcher(std::slice::from_ref(&value), units).find(&raw, &mut found);
                assert_eq!(found.len(), 1);
                let got = units.decode(&raw[found[0].range.clone()]);
                assert_eq!(String::from_utf8_lossy(&got), coded, "{text}");
            }
        }
    }

    /// Captures have bodies in base64, in which anything may be escaped in any way.
    #[test]
    fn it_is_found_escaped_in_base64() {
        let value = b"Sum/mer+20=26.Ra?in~x".to_vec();
        let s = searcher(std::slice::from_ref(&value), Units::Bytes).deep();
        for inner in [
            r"Sum\\/mer\\u002b20\\u003d26.Ra?in~x",
            "Sum&#47;mer&#x2B;20=26.Ra?in~x",
            "Sum%252Fmer%252B20%253D26.Ra%253Fin~x",
            r"Sum\x2Fmer+20\x3D26.Ra?in~x",
        ] {
            for before in ["", "x", "xy", "xyz"] {
                let coded =
                    data_encoding::BASE64.encode(format!("{before}{{\"a>\":\"?{inner}\"}} <p>").as_bytes());
                for text in [
                    format!("\"{coded}\""),
                    format!("a/b {}", coded.replace('/', "\\/")),
                    format!("/path/{coded}"),
                ] {
                    let mut found = Vec::new();
                    s.find(text.as_bytes(), &mut found);
                    assert!(!found.is_empty(), "{text}");
                    let mut left = text.into_bytes();
                    found.iter().rev().for_each(|m| drop(left.drain(m.range.clone())));
                    let mut found = Vec::new();
                    s.find(&left, &mut found);
                    assert!(found.is_empty());
                }
            }
        }
    }

    /// Counts how often units are looked at.
    struct Counted<'t>(&'t [u8], std::cell::Cell<usize>);

    impl Source for Counted<'_> {
        fn unit(&self, n: usize) -> Option<u16> {
            self.1.set(self.1.get() + 1);
            self.0.unit(n)
        }
        fn high(&self, n: usize, unit: u16) -> (Symbol, usize) {
            self.0.high(n, unit)
        }
    }

    /// A text of nothing but escapes is read a few times, however it goes on.
    #[test]
    fn no_text_is_read_over_and_over() {
        let values = [
            b"%25\\&#37;+/==%%\\\\..ab".to_vec(),
            b"aaaaaaaaaaaaaaaaaaaaaab".to_vec(),
        ];
        let s = searcher(&values, Units::Bytes);
        let deep = searcher(&values, Units::Bytes).deep();
        for piece in [
            "%25",
            "\\",
            "%",
            "&#",
            "%2F",
            "a%61",
            "\\u002f",
            "\\u005c",
            "&#37;",
            "%5c",
            "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh%2B",
            "YWFhJTYxYWFhYWFhYWFhYWFhYWFhYWFhYWFi",
        ] {
            let text = piece.repeat(400_000 / piece.len());
            s.find(text.as_bytes(), &mut Vec::new());
            deep.find(text.as_bytes(), &mut Vec::new());
            let counted = Counted(text.as_bytes(), std::cell::Cell::new(0));
            let (mut run, mut at) = (Run::default(), 0);
            while at < text.len() {
                at = s.run(&counted, at, true, &mut run, &mut Vec::new());
            }
            let looks = counted.1.get();
            assert!(looks < 30 * text.len(), "{piece}: {looks} of {}", text.len());
        }
    }

    #[test]
    fn base64_is_taken_whole_and_marks_are_passed_over() {
        let s = searcher(
            &[b"PLAINSIGHT-0123".to_vec(), b"password-is-this".to_vec()],
            Units::Bytes,
        );
        let coded = data_encoding::BASE64.encode(b"{\"p\":\"password-is-this\",\"q\":1}");
        let text = format!("x=PLAINSIGHT-0123456789abcdef&a={coded}&b=1");
        let mut found = Vec::new();
        s.find(text.as_bytes(), &mut found);
        assert_eq!(found.len(), 1);
        assert_eq!(
            &text[found[0].range.clone()],
            format!("a={coded}").get(2..).unwrap()
        );
    }

    proptest! {
        /// What a search for each one finds, the search for all finds.
        #[test]
        fn nothing_is_passed_over(
            values in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab".as_slice()), 12..20), 1..6),
            text in prop::collection::vec(prop::sample::select(b"ab\n".as_slice()), 0..400),
        ) {
            let mut found = Vec::new();
            searcher(&values, Units::Bytes).find(&text, &mut found);
            let mut left = text.clone();
            for m in &found {
                left[m.range.clone()].fill(b'.');
            }
            for v in &values {
                prop_assert!(memchr::memmem::find(&left, v).is_none());
            }
            // Base64 can be found by chance in nothing that is so short.
            for m in &found {
                prop_assert!(values.iter().any(|v| text[m.range.clone()] == **v));
            }
        }

        #[test]
        fn base64_forms_are_what_decodes(value in prop::collection::vec(any::<u8>(), 12..40), before in 0usize..7) {
            let text = [&b"abcdefg"[..before], &value, b"tail"].concat();
            let coded = data_encoding::BASE64.encode(&text).into_bytes();
            prop_assert_eq!(&*Coding::Base64.decode(&coded), &text[..]);
            let mut found = Vec::new();
            searcher(&[value], Units::Bytes).find(&coded, &mut found);
            prop_assert_eq!(found.len(), 1);
        }
    }
}
