//! How a scan of a large HAR stands to the least that reading it can take: `serde_json` over the same file, keeping
//! nothing. `cargo bench --bench har [MEBIBYTES [ROUNDS]]`; both are timed in turns, and the median of the ratios is
//! told, with the scan's greatest memory.

use serde::de::IgnoredAny;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the issue allows: time by that of the bare pass, and memory in KiB.
const RATIO: f64 = 1.5;
const MEMORY: u64 = 192 << 10;

/// xorshift64*: the same file for everybody.
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

    fn letters(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .map(|_| char::from(alphabet[self.below(alphabet.len())]))
            .collect()
    }
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const WORDS: &[&str] = &[
    "parcel",
    "road",
    "geometry",
    "attributes",
    "objectid",
    "name",
    "function",
    "return",
    "const",
    "class",
    "div",
    "span",
    "width",
    "height",
    "layer",
    "service",
    "feature",
    "value",
    "index",
    "title",
    "the",
    "of",
    "and",
    "a",
    "map",
    "zoom",
];

/// A body of about `length` bytes as it stands in the file, its quotes and line ends escaped.
fn body(random: &mut Random, kind: usize, length: usize, out: &mut String) {
    let end = out.len() + length;
    while out.len() < end {
        match kind {
            // A reply of a map service.
            0 => {
                let _ = write!(
                    out,
                    r#"{{\"attributes\":{{\"OBJECTID\":{},\"{}\":\"{} {}\",\"AREA\":{}.{}}},\"geometry\":{{\"x\":{}.{},\"y\":{}.{}}}}},"#,
                    random.below(90_000),
                    random.pick(WORDS).to_uppercase(),
                    random.pick(WORDS),
                    random.pick(WORDS),
                    random.below(9000),
                    random.below(100),
                    random.below(180),
                    random.below(1_000_000),
                    random.below(90),
                    random.below(1_000_000)
                );
            }
            // A script.
            1 => {
                let _ = write!(
                    out,
                    r#"function {}{}(a,b){{return a.{}(\"{}\")?b.{}:{};}}\n"#,
                    random.pick(WORDS),
                    random.below(100),
                    random.pick(WORDS),
                    random.pick(WORDS),
                    random.pick(WORDS),
                    random.below(1000)
                );
            }
            // A page.
            2 => {
                let _ = write!(
                    out,
                    r#"<div class=\"{}\"><a href=\"/{}/{}\">{} {}</a></div>\n"#,
                    random.pick(WORDS),
                    random.pick(WORDS),
                    random.below(1000),
                    random.pick(WORDS),
                    random.pick(WORDS)
                );
            }
            // A picture in base64.
            _ => out.push_str(&random.letters(&BASE64[..62], 256)),
        }
    }
}

/// One entry; one in 200 has a token in its URL.
fn entry(random: &mut Random, n: u64, out: &mut String) {
    let host = random.pick(&[
        "maps.example.org",
        "www.example.org",
        "cdn.example.net",
        "tiles.example.com",
    ]);
    let mut query = format!(
        "f=json&where=1%3D1&outFields=*&bbox={},{}",
        random.below(180),
        random.below(90)
    );
    if n.is_multiple_of(200) {
        let _ = write!(query, "&token={}", random.letters(BASE64, 64));
    }
    let route = format!(
        "/arcgis/rest/services/{}/MapServer/{}/query",
        random.pick(WORDS),
        random.below(20)
    );
    let second = n / 50 % 86_400;
    let _ = write!(
        out,
        r#"{{"startedDateTime":"2026-03-03T{:02}:{:02}:{:02}.{:03}Z","time":{}.5,"request":{{"method":"GET","url":"https://{host}{route}?{query}","httpVersion":"h2","headers":["#,
        second / 3600,
        second / 60 % 60,
        second % 60,
        n % 1000,
        random.below(900)
    );
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
    for (name, value) in [
        (":authority", host),
        (":method", "GET"),
        ("accept", "application/json, text/plain, */*"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-GB,en;q=0.9"),
        ("referer", "https://www.example.org/viewer/index.html"),
        ("sec-fetch-mode", "cors"),
        ("user-agent", agent),
    ] {
        let _ = write!(out, r#"{{"name":"{name}","value":"{value}"}},"#);
    }
    out.pop();
    out.push_str(r#"],"queryString":["#);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let _ = write!(out, r#"{{"name":"{name}","value":"{value}"}},"#);
    }
    out.pop();
    let kind = random.below(4);
    let length = 1 << (9 + random.below(10));
    let types = [
        "application/json",
        "application/javascript",
        "text/html",
        "image/png",
    ];
    let _ = write!(
        out,
        r#"],"cookies":[],"headersSize":-1,"bodySize":0}},"response":{{"status":200,"statusText":"","httpVersion":"h2","headers":[{{"name":"content-type","value":"{0}"}},{{"name":"cache-control","value":"max-age=300"}},{{"name":"etag","value":"\"{1:x}\""}}],"cookies":[],"content":{{"size":{length},"mimeType":"{0}","text":""#,
        types[kind], n
    );
    if kind == 3 {
        out.push_str("iVBORw0KGgoAAAANSUhEUgAA");
    }
    body(random, kind, length, out);
    out.push('"');
    if kind == 3 {
        out.push_str(r#","encoding":"base64""#);
    }
    out.push_str(
        r#"},"redirectURL":"","headersSize":-1,"bodySize":-1},"cache":{},"timings":{"send":0.1,"wait":12.5,"receive":3.25},"serverIPAddress":"192.0.2.1","connection":"443"}"#,
    );
}

/// Writes a HAR of about `size` bytes.
fn generate(path: &Path, size: u64) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut text = String::from(
        r#"{"log":{"version":"1.2","creator":{"name":"bench","version":"1"},"pages":[],"entries":["#,
    );
    let (mut written, mut n) = (0, 0);
    while written < size {
        if n > 0 {
            text.push(',');
        }
        entry(&mut random, n, &mut text);
        out.write_all(text.as_bytes())?;
        written += text.len() as u64;
        text.clear();
        n += 1;
    }
    out.write_all(b"]}}\n")?;
    out.flush()?;
    Ok(written)
}

/// Time of a bare pass.
fn bare(path: &Path) -> io::Result<Duration> {
    let begin = Instant::now();
    let _: IgnoredAny = serde_json::from_reader(BufReader::new(File::open(path)?))?;
    Ok(begin.elapsed())
}

/// Time of a scan, and the most memory that it had, in KiB (where there is a /proc).
fn scan(path: &Path) -> io::Result<(Duration, u64)> {
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(["scan", "--no-config", "--fail-on", "never", "-f", "json"])
        .arg(path)
        .stdout(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    loop {
        // The greatest so far: it only grows, so that the last look is as good as all.
        let look = std::fs::read_to_string(&status).unwrap_or_default();
        let high = look
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok());
        memory = high.unwrap_or(0).max(memory);
        if let Some(status) = child.try_wait()? {
            return if status.success() {
                Ok((begin.elapsed(), memory))
            } else {
                Err(io::Error::other(format!("the scan ended with {status}")))
            };
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn main() -> io::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let size = numbers.next().unwrap_or(500) << 20;
    let rounds = numbers.next().unwrap_or(5).max(1);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("large.har");
    let size = generate(&path, size)?;
    let mut out = io::stdout();
    writeln!(out, "{size} bytes")?;
    bare(&path)?;
    let (mut ratios, mut most) = (Vec::new(), 0);
    for _ in 0..rounds {
        let least = bare(&path)?;
        let (time, memory) = scan(&path)?;
        most = most.max(memory);
        let ratio = time.as_secs_f64() / least.as_secs_f64();
        writeln!(out, "bare {least:.2?}, scan {time:.2?}: {ratio:.2}, {memory} KiB")?;
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let holds = median <= RATIO && most <= MEMORY;
    let word = if holds { "holds" } else { "falls short" };
    writeln!(
        out,
        "{word}: {median:.2} of at most {RATIO}, {most} of at most {MEMORY} KiB"
    )?;
    if holds {
        Ok(())
    } else {
        Err(io::Error::other("too slow or too large"))
    }
}
