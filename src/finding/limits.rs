//! The bounds of an aggregate, in one place. Every bound is a rule about the data alone, never about the order in
//! which it came. Unit tests have smaller ones, so that small inputs go past them.

const fn bound(full: usize, test: usize) -> usize {
    if cfg!(test) { test } else { full }
}

/// Findings under one rule and name before they are folded.
pub const GROUP: usize = bound(10_000, 8);
/// Names under one rule before they are folded.
pub const NAMES: usize = bound(1_000, 6);
/// Findings of a whole report before all groups are folded.
pub const TOTAL: usize = bound(200_000, 40);
/// Hashes kept to tell how many findings there are before folding.
pub const K_TOTAL: usize = bound(4_096, 32);
/// Hashes kept for each set of a finding, at most.
pub const K_FINDING: usize = bound(16_384, 64);
/// Hashes and credentials kept for the run.
pub const K_RUN: usize = bound(65_536, 24);
/// Hashes kept for the clients of one credential.
pub const K_CREDENTIAL: usize = bound(64, 4);
/// Users and clients kept for the run, whose passwords were seen.
pub const K_USERS: usize = bound(16_384, 12);
/// Hosts kept whose pages said their Referrer-Policy.
pub const HOSTS: usize = bound(4_096, 6);
/// Networks kept for one credential.
pub const NETWORKS: usize = bound(16, 3);
/// Clients that a sign of abuse names.
pub const LABELS: usize = bound(5, 2);
/// What credentials of a finding tell of themselves, at most.
pub const IDENTITY: usize = bound(12, 3);
/// Evidence of a finding.
pub const EVIDENCE: usize = 5;
/// Hosts in `leaked_to` and findings of a credential.
pub const LIST: usize = bound(64, 4);

/// Hashes of all findings together, and the least of each.
const BUDGET: usize = bound(1 << 22, 512);
const K_LEAST: usize = bound(64, 4);

/// Hashes kept for each set of each finding of a report that has `findings` before folding.
pub fn k(findings: usize) -> usize {
    (BUDGET / findings.next_power_of_two().max(1)).clamp(K_LEAST, K_FINDING)
}
