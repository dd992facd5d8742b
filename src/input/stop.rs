//! Ending a scan early: who asks for it, and readers that notice. Whatever is being read then fails like a file
//! that cannot be read any further, so that a report says what it has not seen.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Why a scan was ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Somebody interrupted it.
    Interrupted,
    /// It was told to terminate.
    Terminated,
    /// Nobody reads the stream of exposures any more, or it cannot be written.
    OutputGone,
}

impl Why {
    const ALL: [Why; 3] = [Why::Interrupted, Why::Terminated, Why::OutputGone];

    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Why::Interrupted => "the scan was interrupted",
            Why::Terminated => "the scan was told to terminate",
            Why::OutputGone => "the stream of exposures could not be written any further",
        }
    }

    /// What stands for it in a [`Stop`].
    pub fn number(self) -> usize {
        self as usize + 1
    }
}

/// Whether a scan is to end early; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// Asks for an early end; the first to ask is remembered.
    pub fn ask(&self, why: Why) {
        let _ = self
            .0
            .compare_exchange(0, why.number(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Why it is to end early, if it is.
    pub fn asked(&self) -> Option<Why> {
        let number = self.0.load(Ordering::Relaxed);
        Why::ALL.into_iter().find(|w| w.number() == number)
    }

    /// An error where an early end was asked for.
    pub fn check(&self) -> io::Result<()> {
        self.asked()
            .map_or(Ok(()), |why| Err(io::Error::other(why.text())))
    }

    /// What a signal handler sets to a [`Why::number`].
    pub fn flag(&self) -> Arc<AtomicUsize> {
        self.0.clone()
    }
}

/// A reader that fails once an early end was asked for.
pub struct Watched<R> {
    inner: R,
    stop: Stop,
}

impl<R> Watched<R> {
    /// Watches `stop` while it reads `inner`.
    pub fn new(inner: R, stop: &Stop) -> Self {
        Watched {
            inner,
            stop: stop.clone(),
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stop.check()?;
        self.inner.read(buf)
    }
}

/// A stream whose next byte may never come: a thread of its own waits for it, so that the scan need not.
pub struct Live {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
    stop: Stop,
}

/// Bytes of a piece, and pieces that may wait.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

/// How often a waiting reader looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

impl Live {
    /// Opens the stream in its thread: opening a pipe may wait as long as reading it.
    pub fn new<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        stop: &Stop,
    ) -> io::Result<Live> {
        let (give, pieces) = sync_channel(PIECES);
        std::thread::Builder::new().name("stream".into()).spawn(move || {
            let mut input = match open() {
                Ok(input) => input,
                Err(e) => return drop(give.send(Err(e))),
            };
            let mut buf = vec![0; PIECE];
            loop {
                let piece = match input.read(&mut buf) {
                    Ok(0) => return,
                    Ok(n) => Ok(buf[..n].to_vec()),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => Err(e),
                };
                let failed = piece.is_err();
                if give.send(piece).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Live {
            pieces,
            piece: io::Cursor::default(),
            stop: stop.clone(),
        })
    }
}

impl Read for Live {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.piece.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            match self.pieces.recv_timeout(LOOK) {
                Ok(piece) => self.piece = io::Cursor::new(piece?),
                Err(RecvTimeoutError::Timeout) => self.stop.check()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_gives_what_comes_and_stops_where_nothing_does() {
        let (stop, (reader, mut writer)) = (Stop::default(), io::pipe().unwrap());
        let mut live = Live::new(|| Ok(reader), &stop).unwrap();
        let mut buf = [0; 16];
        io::Write::write_all(&mut writer, b"abc").unwrap();
        assert_eq!(live.read(&mut buf).unwrap(), 3);
        stop.ask(Why::Terminated);
        stop.ask(Why::Interrupted);
        assert_eq!(stop.asked(), Some(Why::Terminated));
        let e = live.read(&mut buf).unwrap_err();
        assert_eq!(e.to_string(), Why::Terminated.text());
        drop(writer);
    }

    #[test]
    fn errors_and_ends_come_through() {
        let stop = Stop::default();
        let mut live = Live::new(|| Ok(io::Cursor::new(vec![7; 200_000])), &stop).unwrap();
        let mut all = Vec::new();
        assert_eq!(live.read_to_end(&mut all).unwrap(), 200_000);
        let mut broken = Live::new::<io::Empty>(|| Err(io::Error::other("no")), &stop).unwrap();
        assert!(broken.read(&mut [0]).is_err());
        stop.ask(Why::Interrupted);
        assert!(Watched::new(io::repeat(1), &stop).read(&mut [0]).is_err());
    }
}
