//! Lines that a container runtime cut, put together again. Each of a container's two streams is cut for itself, and
//! lines of the other may stand between the pieces.

use crate::format::wrapper::Piece;
use std::ops::Range;

/// The longest line that is put together from pieces, and the most that may stand between two of them, in bytes.
pub(super) const MAX: usize = 1 << 20;

/// The pieces at hand.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    lanes: [Lane; 2],
}

/// The pieces of one line.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// What they are put together to.
    pub bytes: Vec<u8>,
    /// Where each begins in it, and its offset in the source.
    pub pieces: Vec<(usize, u64)>,
    /// What the runtime wrote behind the last, and its offset.
    tail: (Vec<u8>, u64),
}

impl Pieces {
    /// Whether no line waits for its end.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|l| l.pieces.is_empty())
    }

    /// Whether a line of that stream waits for its end.
    pub fn waits(&self, stream: usize) -> bool {
        self.lanes.get(stream).is_some_and(|l| !l.pieces.is_empty())
    }

    /// Offset of the first piece that waits.
    pub fn first(&self) -> Option<u64> {
        self.lanes.iter().filter_map(Lane::begins).min()
    }

    /// Whether a line waits that begins in `range`.
    pub fn waits_in(&self, range: &Range<u64>) -> bool {
        let begins = |l: &Lane| l.begins().is_some_and(|at| range.contains(&at));
        self.lanes.iter().any(begins)
    }

    /// Takes a piece of the line `raw`, which stands at `offset`; gives the line that it ends.
    pub fn add(&mut self, piece: &Piece, raw: &[u8], offset: u64) -> Option<Lane> {
        let lane = self.lanes.get_mut(piece.stream)?;
        // What is around the first piece and behind the last stays, so that the whole reads as one line of the runtime.
        let begin = if lane.pieces.is_empty() {
            0
        } else {
            piece.text.start
        };
        let end = if piece.partial { piece.text.end } else { raw.len() };
        lane.pieces.push((lane.bytes.len(), offset + begin as u64));
        lane.bytes.extend_from_slice(&raw[begin..end]);
        lane.tail = (raw[end..].to_vec(), offset + end as u64);
        (!piece.partial || lane.bytes.len() >= MAX).then(|| std::mem::take(lane).whole())
    }

    /// Gives up a line whose last piece stands too far before `offset`.
    pub fn overdue(&mut self, offset: u64) -> Option<Lane> {
        let late = |l: &&mut Lane| !l.pieces.is_empty() && offset > l.tail.1 + MAX as u64;
        Some(std::mem::take(self.lanes.iter_mut().find(late)?).whole())
    }

    /// Gives up a line: that which began first.
    pub fn next(&mut self) -> Option<Lane> {
        let lanes = self.lanes.iter_mut().filter(|l| !l.pieces.is_empty());
        let first = lanes.min_by_key(|l| l.pieces[0].1)?;
        Some(std::mem::take(first).whole())
    }
}

impl Lane {
    /// Where its first piece begins in the source.
    pub fn begins(&self) -> Option<u64> {
        Some(self.pieces.first()?.1)
    }

    fn whole(mut self) -> Lane {
        let (tail, offset) = std::mem::take(&mut self.tail);
        if !tail.is_empty() {
            self.pieces.push((self.bytes.len(), offset));
            self.bytes.extend(tail);
        }
        self
    }
}
