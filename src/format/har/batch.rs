//! Entries that one thread has cut out of a capture and another reads.

use super::split::{List, Piece};
use super::{Carry, Visit, Worth, give};
use std::ops::Range;

/// Bytes of a batch, about.
const FULL: usize = 512 << 10;

/// Elements with more bytes go into no batch: what waits has to be small.
const LARGE: usize = 2 << 20;

/// Elements of a capture, with their way back to it.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    pieces: Vec<(usize, u64)>,
    elements: Vec<Element>,
}

#[derive(Debug)]
struct Element {
    list: List,
    entry: u64,
    bytes: Range<usize>,
    pieces: Range<usize>,
}

impl Batch {
    /// Adds a whole element; false where it is none, or too large.
    pub(super) fn add(&mut self, piece: &Piece, entry: u64) -> bool {
        let Piece::Unit {
            list,
            bytes,
            pieces,
            cut: false,
            sound: true,
        } = piece
        else {
            return false;
        };
        if bytes.len() > LARGE {
            return false;
        }
        let (at, first) = (self.bytes.len(), self.pieces.len());
        self.bytes.extend_from_slice(bytes);
        self.pieces.extend_from_slice(pieces);
        self.elements.push(Element {
            list: *list,
            entry,
            bytes: at..self.bytes.len(),
            pieces: first..self.pieces.len(),
        });
        true
    }

    /// Whether it is time to hand it over.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Reads what is in it, in order.
    pub fn read(&self, format: u16, worth: &Worth, visit: &mut Visit) {
        for e in &self.elements {
            let piece = Piece::Unit {
                list: e.list,
                bytes: &self.bytes[e.bytes.clone()],
                pieces: &self.pieces[e.pieces.clone()],
                cut: false,
                sound: true,
            };
            give(&piece, e.entry, &mut Carry::default(), format, worth, visit);
        }
    }

    /// The same, to be filled anew.
    pub fn emptied(mut self) -> Batch {
        self.bytes.clear();
        self.pieces.clear();
        self.elements.clear();
        self
    }
}
