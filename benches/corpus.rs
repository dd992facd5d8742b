//! Writes the logs that `compare.sh` measures with: `cargo bench --bench corpus -- KIND MEBIBYTES FILES FOLDER`. The same
//! arguments give the same bytes.
//!
//! - `mixed`: a site's access log in the combined format: pages, pictures, searches, a map service; one line in a
//!   thousand leaks, one in two hundred only seems to;
//! - `map`: a map service's access log: ten parameters a line, percent-encoding everywhere, one line in a thousand leaks;
//! - `unique`: the same, but every line leaks a token, and no token twice;
//! - `small`: like `mixed`, in files of 10 KB.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// xorshift64*: the same logs for everybody.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn letters(&mut self, out: &mut String, length: usize) {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for _ in 0..length {
            out.push(char::from(LETTERS[self.below(LETTERS.len())]));
        }
    }
}

const WORDS: &[&str] = &[
    "map",
    "report",
    "order",
    "garden",
    "parcels",
    "zoning",
    "permits",
    "survey",
    "river",
    "forest",
    "roads",
    "school",
    "library",
    "museum",
    "transit",
    "harbor",
    "market",
    "support",
    "contact",
    "blog",
    "guide",
    "pricing",
    "account",
    "profile",
    "dashboard",
];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "curl/8.9.1",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
];
const HOSTS: &[&str] = &[
    "www.example.com",
    "maps.example.org",
    "gis.example.gov",
    "portal.example.net",
    "blog.example.com",
];

/// What a log has in it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Mixed,
    Map,
    Unique,
}

/// A line; `n` is its number.
fn line(r: &mut Random, kind: Kind, n: u64, out: &mut String) {
    use std::fmt::Write as _;
    let at = n / 40;
    let (second, minute, hour, day) = (at % 60, at / 60 % 60, at / 3600 % 24, 1 + at / 86_400 % 28);
    let _ = write!(
        out,
        "{}.{}.{}.{} - - [{day:02}/Jan/2026:{hour:02}:{minute:02}:{second:02} +0000] \"",
        1 + r.below(223),
        r.below(256),
        r.below(256),
        1 + r.below(254)
    );
    let leaks = kind == Kind::Unique || r.below(1000) == 0;
    if kind == Kind::Mixed {
        page(r, leaks, out);
    } else {
        export(r, leaks, out);
    }
    let _ = write!(
        out,
        " HTTP/1.1\" {} {} \"",
        [200, 200, 200, 304, 404][r.below(5)],
        200 + r.below(40_000)
    );
    match r.below(3) {
        0 => out.push('-'),
        1 => {
            let _ = write!(
                out,
                "https://{}/{}/{}?page={}&q={}",
                r.pick(HOSTS),
                r.pick(WORDS),
                r.below(90),
                r.below(40),
                r.pick(WORDS)
            );
        }
        _ => {
            let _ = write!(out, "https://{}/", r.pick(HOSTS));
        }
    }
    let _ = writeln!(out, "\" \"{}\"", r.pick(AGENTS));
}

/// A request of a site.
fn page(r: &mut Random, leaks: bool, out: &mut String) {
    use std::fmt::Write as _;
    let word = r.pick(WORDS);
    if leaks {
        let _ = match r.below(4) {
            0 => write!(
                out,
                "GET /arcgis/tokens?request=gettoken&username=gis{}&password=",
                r.below(90)
            ),
            1 => write!(out, "GET /api/v2/{word}?format=json&api_key="),
            2 => write!(out, "GET /account/reset?reset_token="),
            _ => write!(out, "GET /arcgis/rest/services/{word}/MapServer?f=json&token="),
        };
        return r.letters(out, 40);
    }
    if r.below(200) == 0 {
        out.push_str(r.pick(&[
            "GET /help?topic=password&token=",
            "GET /login?password=***&user=jo",
            "GET /x?token={token}",
            "GET /app.js?key=undefined",
            "GET /search?q=reset+password",
            "GET /map?sessionless=1&tokens=off",
        ]));
        return;
    }
    let _ = match r.below(6) {
        0 => write!(
            out,
            "GET /static/{word}-{}.js?v={}",
            r.below(90_000),
            r.below(900)
        ),
        1 => write!(
            out,
            "GET /tiles/{}/{}/{}.png",
            r.below(19),
            r.below(4000),
            r.below(4000)
        ),
        2 => write!(
            out,
            "GET /search?q={word}+{}&page={}&sort=date",
            r.pick(WORDS),
            r.below(50)
        ),
        3 => write!(
            out,
            "GET /{word}/{}?utm_source=news&utm_medium=email&utm_campaign=spring_{}&gclid=Cj0K{}",
            r.below(4000),
            r.below(9),
            r.next()
        ),
        4 => write!(out, "POST /api/v1/{word}/{}", r.below(90_000)),
        _ => write!(
            out,
            "GET /images/{word}-{}-{}.webp?w={}&h={}&fit=crop",
            r.pick(WORDS),
            r.below(900),
            r.below(2000),
            r.below(2000)
        ),
    };
}

/// A request of a map service.
fn export(r: &mut Random, leaks: bool, out: &mut String) {
    use std::fmt::Write as _;
    let (x, y) = (
        r.below(20_000_000) as i64 - 10_000_000,
        r.below(10_000_000) as i64 - 5_000_000,
    );
    let _ = write!(
        out,
        "GET /arcgis/rest/services/{}/{}/MapServer/export?bbox={x}.25%2C{y}.5%2C{}.25%2C{}.5&bboxSR=102100&imageSR=102100&size={}%2C{}\
         &dpi=96&format=png32&transparent=true&where=NAME%20LIKE%20%27{}%25%27%20AND%20AREA%20%3E%20{}\
         &layers=show%3A0%2C1%2C{}&f=image",
        r.pick(WORDS),
        r.pick(WORDS),
        x + 9000,
        y + 9000,
        256 + r.below(1024),
        256 + r.below(1024),
        r.pick(WORDS),
        r.below(900),
        r.below(9)
    );
    if leaks {
        out.push_str("&token=");
        r.letters(out, 64);
    }
}

fn write(kind: Kind, bytes: u64, r: &mut Random, path: &Path) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut written, mut n, mut text) = (0, 0, String::new());
    while written < bytes {
        text.clear();
        line(r, kind, n, &mut text);
        out.write_all(text.as_bytes())?;
        written += text.len() as u64;
        n += 1;
    }
    out.flush()
}

fn main() -> io::Result<()> {
    // Cargo adds an option of its own.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [kind, mebibytes, files, folder] = args.as_slice() else {
        // As a part of all benchmarks there is nothing to do.
        eprintln!("usage: cargo bench --bench corpus -- mixed|map|unique|small MEBIBYTES FILES FOLDER");
        return Ok(());
    };
    let invalid =
        |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{what:?} is not understood"));
    let number = |s: &String| s.parse::<u64>().map_err(|_| invalid(s));
    let (kind, small) = match kind.as_str() {
        "mixed" => (Kind::Mixed, false),
        "map" => (Kind::Map, false),
        "unique" => (Kind::Unique, false),
        "small" => (Kind::Mixed, true),
        other => return Err(invalid(other)),
    };
    let (total, files) = (number(mebibytes)? << 20, number(files)?.max(1));
    let each = if small { 10_000 } else { total / files };
    std::fs::create_dir_all(folder)?;
    for n in 0..files {
        let mut r = Random(0x9E37_79B9_7F4A_7C15 ^ (n + 1).wrapping_mul(0xD134_2543_DE82_EF95));
        write(
            kind,
            each,
            &mut r,
            &Path::new(folder).join(format!("access-{n:05}.log")),
        )?;
    }
    Ok(())
}
