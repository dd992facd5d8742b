//! Long lists made and written by all processors: their elements become JSON in parallel, a stretch at a time, and
//! are put down in order, so that the bytes are those that one thread would write.

use rayon::prelude::*;
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// Elements that are held as JSON at once, at most; shorter lists are not worth a second thread.
const STRETCH: usize = 512;

/// For `#[serde(serialize_with)]` of lists that are written as JSON.
pub fn list<T: Serialize + Sync, S: Serializer>(all: &[T], out: S) -> Result<S::Ok, S::Error> {
    if all.len() < STRETCH {
        return all.serialize(out);
    }
    let mut list = out.serialize_seq(Some(all.len()))?;
    for stretch in all.chunks(STRETCH) {
        let json: Result<Vec<Box<RawValue>>, _> = stretch.par_iter().map(to_raw_value).collect();
        for element in json.map_err(S::Error::custom)? {
            list.serialize_element(&element)?;
        }
    }
    list.end()
}

/// What `f` makes of each, in order.
pub fn map<T: Sync, U: Send>(all: &[T], f: impl Fn(&T) -> U + Send + Sync) -> Vec<U> {
    if all.len() < STRETCH {
        return all.iter().map(f).collect();
    }
    all.par_iter().map(f).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Lists<'a> {
        #[serde(serialize_with = "list")]
        long: &'a [(usize, String)],
    }

    #[test]
    fn long_lists_are_written_as_one_thread_writes_them() {
        for n in [0, 1, STRETCH - 1, STRETCH, 3 * STRETCH + 7] {
            let long: Vec<_> = (0..n).map(|n| (n, format!("\"{n}\u{1f600}\\"))).collect();
            let written = serde_json::to_string(&Lists { long: &long }).unwrap();
            assert_eq!(
                written,
                format!("{{\"long\":{}}}", serde_json::to_string(&long).unwrap())
            );
        }
    }
}
