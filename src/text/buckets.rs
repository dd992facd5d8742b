//! Which four bytes of a literal the vector pass looks for, and in which bucket: those that logs have least often
//! beside what the bucket admits already.

use super::packed::WINDOW;

/// Windows of a literal that are weighed against each other.
const CHOICE: usize = 4;

/// How often each ASCII byte stands in logs, of 10,000: means over generated access logs, a map service's with
/// percent-encoding everywhere among them, and real ones of some thirty formats.
#[rustfmt::skip]
const FREQUENCY: [u16; 128] = [
    1, 1, 1, 1, 1, 1, 1, 1, 1, 19, 70, 1, 1, 12, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    893, 1, 355, 5, 1, 20, 22, 1, 41, 41, 2, 60, 88, 179, 329, 312,
    544, 388, 342, 177, 146, 165, 166, 119, 114, 102, 228, 38, 11, 43, 11, 30,
    2, 52, 14, 45, 24, 61, 17, 59, 53, 27, 23, 38, 36, 81, 20, 35,
    58, 5, 29, 74, 127, 18, 12, 34, 23, 5, 5, 28, 9, 28, 1, 60,
    4, 300, 90, 183, 102, 451, 87, 79, 98, 279, 14, 61, 203, 126, 217, 277,
    161, 15, 205, 215, 284, 100, 51, 48, 47, 30, 38, 17, 20, 17, 1, 1,
];

/// What stands in nearly every line of most logs, and what stands in many. Bytes are not independent of each other:
/// `Geck` is far likelier than its letters are, and a bucket that admits it is hit in every line.
const COMMON: [&[&str]; SETS] = [
    &[
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
        ".0 Safari/537.36\"",
        " HTTP/1.1\" 200 ",
        "https://www.",
    ],
    &[
        "Gecko/20100101 Firefox/1",
        "Mobile/15E148",
        "(Macintosh; Intel Mac OS X 10_15_7)",
        "Ubuntu; Linux x86_64; rv:1",
        "bingbot/2.0; ",
        "utm_source=",
    ],
    &[
        "arcgis/rest/services/",
        "/MapServer/",
        "bboxSR=102100",
        "imageSR=1",
        "&size=2",
        "transparent=true",
        "layers=show%3A",
        "outFields=",
        "%20AND%20",
        "/favicon.ico",
        "robots.txt",
        "/static/",
    ],
];

/// How often a window of them stands at a place, of all places.
const SHARES: [f32; SETS] = [0.003, 0.0006, 0.0004];

/// Lists in `COMMON`, and a set of the windows in them, as many bits for each.
const SETS: usize = 3;
type Windows = [u128; SETS];

/// The windows of `COMMON` that have a nibble at a position: low and high ones.
struct Common {
    low: [[Windows; 16]; WINDOW],
    high: [[Windows; 16]; WINDOW],
}

impl Common {
    fn new() -> Common {
        let mut out = Common {
            low: [[[0; SETS]; 16]; WINDOW],
            high: [[[0; SETS]; 16]; WINDOW],
        };
        for (half, phrases) in COMMON.iter().enumerate() {
            let windows = phrases.iter().flat_map(|p| p.as_bytes().windows(WINDOW));
            // One that stands in two of them weighs twice.
            for (n, window) in windows.take(128).enumerate() {
                for (position, byte) in window.iter().enumerate() {
                    out.low[position][usize::from(byte & 15)][half] |= 1 << n;
                    out.high[position][usize::from(byte >> 4)][half] |= 1 << n;
                }
            }
        }
        out
    }
}

/// Sums of `FREQUENCY` by the high nibble of bytes and a set of low ones, whose halves are told apart.
const SUMS: [[[u16; 256]; 2]; 8] = {
    let mut sums = [[[0; 256]; 2]; 8];
    let mut n = 0;
    while n < 8 * 2 * 256 {
        let (high, half, set) = (n / 512, n / 256 % 2, n % 256);
        let mut low = 0;
        while low < 8 {
            if set >> low & 1 != 0 {
                sums[high][half][set] += FREQUENCY[high * 16 + half * 8 + low];
            }
            low += 1;
        }
        n += 1;
    }
    sums
};

/// The nibbles that a bucket admits at one position, how often bytes of them stand in logs, and which windows of
/// `COMMON` have them there.
#[derive(Clone, Copy, Default)]
pub(super) struct Nibbles {
    pub low: u16,
    pub high: u16,
    share: f32,
    common_low: Windows,
    common_high: Windows,
}

impl Nibbles {
    fn with(&self, byte: u8, position: usize, common: &Common) -> Nibbles {
        let (low, high) = (self.low | 1 << (byte & 15), self.high | 1 << (byte >> 4));
        if (low, high) == (self.low, self.high) {
            return *self;
        }
        let shares = (0..8)
            .filter(|n| high >> n & 1 != 0)
            .map(|n| SUMS[n][0][usize::from(low & 255)] + SUMS[n][1][usize::from(low >> 8)]);
        let join = |a: Windows, b: Windows| std::array::from_fn(|n| a[n] | b[n]);
        Nibbles {
            low,
            high,
            share: f32::from(shares.sum::<u16>()) / 10_000.0,
            common_low: join(self.common_low, common.low[position][usize::from(byte & 15)]),
            common_high: join(self.common_high, common.high[position][usize::from(byte >> 4)]),
        }
    }
}

/// What a bucket admits.
#[derive(Clone, Copy, Default)]
pub(super) struct Bucket(pub [Nibbles; WINDOW]);

impl Bucket {
    fn with(&self, window: &[u8], common: &Common) -> Bucket {
        let mut out = *self;
        for (position, (nibbles, &byte)) in out.0.iter_mut().zip(window).enumerate() {
            *nibbles = nibbles.with(byte, position, common);
        }
        out
    }

    /// How often it is hit, of all places.
    fn share(&self) -> f32 {
        share(self.0.each_ref())
    }

    /// How often it is hit with this window beside those it has; none where it has all of it.
    fn share_with(&self, window: &[u8], common: &Common) -> Option<f32> {
        let has = |n: &Nibbles, b: u8| n.low >> (b & 15) & 1 != 0 && n.high >> (b >> 4) & 1 != 0;
        if self.0.iter().zip(window).all(|(n, b)| has(n, *b)) {
            return None;
        }
        Some(self.with(window, common).share())
    }
}

fn share(all: [&Nibbles; WINDOW]) -> f32 {
    let by_chance: f32 = all.iter().map(|n| n.share).product();
    let admitted = all.iter().fold([u128::MAX; SETS], |all, n| {
        std::array::from_fn(|k| all[k] & n.common_low[k] & n.common_high[k])
    });
    let often = admitted
        .iter()
        .zip(SHARES)
        .map(|(set, share)| set.count_ones() as f32 * share);
    by_chance + often.sum::<f32>()
}

/// Puts each literal into one of the buckets; gives the literals' numbers and where in them their windows stand. Those
/// that are too short for a window or have a newline are left out.
pub(super) fn choose(literals: &[&[u8]], free: &mut [Bucket]) -> Vec<(usize, usize)> {
    // Those that are likeliest to be hit choose first, each among its few rarest windows.
    let common = Common::new();
    let mut order: Vec<(f32, usize, Vec<usize>)> = literals
        .iter()
        .enumerate()
        .filter(|(_, l)| l.len() >= WINDOW && !l.contains(&b'\n'))
        .map(|(n, l)| {
            let windows = l.windows(WINDOW).take(usize::from(u8::MAX)).enumerate();
            let mut rarest: Vec<(f32, usize)> = windows
                .map(|(at, w)| (Bucket::default().with(w, &common).share(), at))
                .collect();
            rarest.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            rarest.truncate(CHOICE);
            let least = rarest.first().map_or(0.0, |(share, _)| *share);
            (least, n, rarest.into_iter().map(|(_, at)| at).collect())
        })
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut shares: Vec<f32> = free.iter().map(Bucket::share).collect();
    let mut chosen = Vec::with_capacity(order.len());
    for (_, n, rarest) in order {
        let mut best = (f32::MAX, 0, 0);
        'all: for at in rarest {
            let window = &literals[n][at..at + WINDOW];
            for (k, bucket) in free.iter().enumerate() {
                let Some(share) = bucket.share_with(window, &common) else {
                    best = (0.0, at, k);
                    break 'all;
                };
                let cost = share - shares[k];
                if cost < best.0 {
                    best = (cost, at, k);
                }
            }
        }
        let (_, at, k) = best;
        free[k] = free[k].with(&literals[n][at..at + WINDOW], &common);
        shares[k] = free[k].share();
        chosen.push((n, at));
    }
    chosen
}
