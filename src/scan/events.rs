//! The stream of exposures in source order. Workers finish blocks in any order; what is early waits here, up to
//! a bound, and then its worker does.

use crate::report::model::Source;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What receives the stream.
pub trait Sink {
    /// An exposure: JSON before and after the line's number, where there is one.
    fn exposure(&mut self, event: &Event, line: Option<u64>);
    /// A source is finished.
    fn source(&mut self, source: &Source);
    /// Everything at hand has been given.
    fn idle(&mut self);
}

/// One exposure, ready to be written but for the line's number.
#[derive(Debug)]
pub struct Event {
    /// JSON up to the value of `line`; without lines, all of it up to what follows the position.
    pub head: String,
    /// JSON after it.
    pub tail: String,
    /// The line within its block, from 1.
    pub line: Option<u64>,
}

/// What a unit of work gives.
#[derive(Debug, Default)]
pub struct Unit {
    /// Its exposures in order.
    pub events: Vec<Event>,
    /// Its lines.
    pub lines: u64,
    /// Whether lines are counted anew from here: a member of an archive begins.
    pub restart: bool,
    /// The source that ends here.
    pub finished: Option<Source>,
}

/// Bytes that may wait.
const WAITING: usize = 32 << 20;

struct State<'s> {
    sink: &'s mut (dyn Sink + Send + 's),
    /// Units that are early, by source and number.
    early: BTreeMap<(usize, u32), Unit>,
    waiting: usize,
    next: (usize, u32),
    /// How many units a source has, once that is known.
    units: HashMap<usize, u32>,
    lines: u64,
    /// A unit will never come.
    abandoned: bool,
}

/// Puts units in order.
pub struct Order<'s> {
    state: Mutex<State<'s>>,
    turn: Condvar,
}

fn lock<'m, T>(m: &'m Mutex<T>) -> MutexGuard<'m, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'s> Order<'s> {
    /// An order that gives to `sink`.
    pub fn new(sink: &'s mut (dyn Sink + Send + 's)) -> Self {
        let state = State {
            sink,
            early: BTreeMap::new(),
            waiting: 0,
            next: (0, 0),
            units: HashMap::new(),
            lines: 0,
            abandoned: false,
        };
        Order {
            state: Mutex::new(state),
            turn: Condvar::new(),
        }
    }

    /// Takes unit `unit` of source `source`. Waits where too much is early already; the unit whose turn it is
    /// never waits, so there is always one that can go on.
    pub fn submit(&self, source: usize, unit: u32, content: Unit) {
        let size: usize = content
            .events
            .iter()
            .map(|e| e.head.len() + e.tail.len() + 64)
            .sum();
        let mut state = lock(&self.state);
        while !state.abandoned
            && state.waiting + size > WAITING
            && state.waiting > 0
            && (source, unit) > state.next
        {
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.abandoned {
            return;
        }
        state.waiting += size;
        state.early.insert((source, unit), content);
        self.advance(&mut state);
    }

    /// Says how many units a source has.
    pub fn finish(&self, source: usize, units: u32) {
        let mut state = lock(&self.state);
        state.units.insert(source, units);
        self.advance(&mut state);
    }

    /// The stream ends here: a thread broke, and what it had will never come. Nobody waits for it.
    pub fn abandon(&self) {
        lock(&self.state).abandoned = true;
        self.turn.notify_all();
    }

    fn advance(&self, state: &mut State) {
        let before = state.next;
        loop {
            let next = state.next;
            if state.units.get(&next.0).is_some_and(|&n| next.1 >= n) {
                state.units.remove(&next.0);
                state.next = (next.0 + 1, 0);
                state.lines = 0;
                continue;
            }
            let Some(unit) = state.early.remove(&next) else {
                break;
            };
            if unit.restart {
                state.lines = 0;
            }
            for event in &unit.events {
                state.waiting = state
                    .waiting
                    .saturating_sub(event.head.len() + event.tail.len() + 64);
                let line = event.line.map(|l| l + state.lines);
                state.sink.exposure(event, line);
            }
            state.lines += unit.lines;
            if let Some(source) = &unit.finished {
                state.sink.source(source);
            }
            state.next.1 += 1;
        }
        if state.next != before {
            state.sink.idle();
            self.turn.notify_all();
        }
    }
}
