//! What pages say of their Referrer-Policy, by host, in bounded memory: advice on a Referer names what is in force.

use super::kept::Join;
use crate::record::ReferrerPolicy;
use serde::{Deserialize, Serialize};

/// The policies that pages of one host were seen with. A set of a few words; joining is union.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies(Vec<ReferrerPolicy>);

impl Policies {
    /// Takes one in.
    pub(super) fn add(&mut self, policy: ReferrerPolicy) {
        if let Err(at) = self.0.binary_search(&policy) {
            self.0.insert(at, policy);
        }
    }

    /// A sentence for advice, after a blank.
    pub fn sentence(&self) -> String {
        let said: Vec<String> = self
            .0
            .iter()
            .filter(|p| **p != ReferrerPolicy::Unset)
            .map(|p| format!("`{p}`"))
            .collect();
        let unset = self.0.contains(&ReferrerPolicy::Unset);
        match (said.join(", "), unset) {
            (said, false) if said.is_empty() => String::new(),
            (said, true) if said.is_empty() => {
                " Its pages were seen to set no Referrer-Policy: the browser's default is in force.".into()
            }
            (said, false) => format!(" Its pages were seen to say {said} now."),
            (said, true) => format!(" Its pages were seen to say {said} now, and some to say nothing."),
        }
    }
}

impl Join for Policies {
    fn join(&mut self, other: Self) {
        other.0.into_iter().for_each(|p| self.add(p));
    }
}

/// The key of a host: its hash, which bounds are drawn by.
pub(super) fn key(host: &str) -> u64 {
    let hash = blake3::hash(host.as_bytes());
    hash.as_bytes()
        .first_chunk()
        .map_or(0, |b| u64::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_what_pages_say() {
        let of = |all: &[ReferrerPolicy]| {
            let mut policies = Policies::default();
            all.iter().for_each(|p| policies.add(*p));
            policies.sentence()
        };
        assert_eq!(of(&[]), "");
        assert!(of(&[ReferrerPolicy::Unset]).contains("set no Referrer-Policy"));
        let both = [
            ReferrerPolicy::UnsafeUrl,
            ReferrerPolicy::Origin,
            ReferrerPolicy::UnsafeUrl,
        ];
        assert_eq!(
            of(&both),
            " Its pages were seen to say `origin`, `unsafe-url` now."
        );
        assert!(
            of(&[ReferrerPolicy::Unset, ReferrerPolicy::Origin])
                .ends_with("`origin` now, and some to say nothing.")
        );
    }
}
