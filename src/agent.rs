//! What kind of program a `User-Agent` names. The list is data (`rules/agents/`); the header is the sender's to
//! choose, so that it can speak for something and never prove it.

use aho_corasick::AhoCorasick;
use serde::Deserialize;
use std::sync::OnceLock;

crate::record::words! {
    /// What kind of program it is.
    Kind {
        /// Opens links that it was shown in a message.
        Preview = "preview",
        /// Follows links by itself.
        Crawler = "crawler",
        /// Looks for weaknesses.
        Scanner = "scanner",
        /// A command line tool or library.
        Script = "script",
        /// Made for one service.
        App = "app",
        /// A phone or tablet.
        Mobile = "mobile",
        /// A browser on a computer.
        Browser = "browser",
    }
}

impl Kind {
    /// Whether it comes by itself, without somebody who wants to use what it opens.
    pub fn comes_by_itself(self) -> bool {
        matches!(self, Kind::Preview | Kind::Crawler)
    }
}

/// One entry of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Kebab case.
    pub id: String,
    /// What kind of program it is.
    pub kind: Kind,
    /// What it is called in sentences.
    pub title: String,
    contains: Vec<String>,
}

/// The number of an agent in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentId(u8);

/// A set of agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Agents(u64);

impl Agents {
    /// Adds one.
    pub fn insert(&mut self, id: AgentId) {
        self.0 |= 1 << id.0;
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Agents) {
        self.0 |= other.0;
    }

    /// Its members, in order of the list.
    pub fn iter(self) -> impl Iterator<Item = &'static Agent> {
        let all = list().agents.iter().enumerate();
        all.filter(move |(n, _)| self.0 & (1 << n) != 0).map(|(_, a)| a)
    }

    /// Whether there are members, and all come by themselves.
    pub fn only_by_themselves(self) -> bool {
        self.0 != 0 && self.iter().all(|a| a.kind.comes_by_itself())
    }
}

/// Bytes of a header that are looked at.
const MAX: usize = 512;

/// How many agents the list may have: a set of them is 64 bits.
const MOST: usize = 64;

struct List {
    agents: Vec<Agent>,
    searcher: Option<AhoCorasick>,
    owner: Vec<u8>,
}

fn list() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| {
        let mut agents: Vec<Agent> =
            serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/agents.json"))).unwrap_or_default();
        agents.truncate(MOST);
        let patterns = agents
            .iter()
            .enumerate()
            .flat_map(|(n, a)| a.contains.iter().map(move |c| (n as u8, c.as_str())));
        let (owner, words): (Vec<u8>, Vec<&str>) = patterns.unzip();
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(words)
            .ok();
        List {
            agents,
            searcher,
            owner,
        }
    })
}

impl AgentId {
    /// The agent that a header names; `None` where it is none of the list.
    pub fn of(header: &[u8]) -> Option<AgentId> {
        let list = list();
        let header = &header[..header.len().min(MAX)];
        let found = list.searcher.as_ref()?.find_overlapping_iter(header);
        found
            .map(|m| list.owner[m.pattern().as_usize()])
            .min()
            .map(AgentId)
    }

    /// Its entry.
    pub fn agent(self) -> &'static Agent {
        &list().agents[usize::from(self.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn of(header: &str) -> Option<(&'static str, Kind)> {
        AgentId::of(header.as_bytes()).map(|a| (a.agent().id.as_str(), a.agent().kind))
    }

    #[test]
    fn headers_are_told_apart() {
        for (header, id, kind) in [
            (
                "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
                "chat-preview",
                Kind::Preview,
            ),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                "search-engine",
                Kind::Crawler,
            ),
            (
                "Mozilla/5.0+(compatible;+bingbot/2.0;++http://www.bing.com/bingbot.htm)",
                "search-engine",
                Kind::Crawler,
            ),
            ("curl/8.5.0", "curl", Kind::Script),
            ("python-requests/2.31.0", "python", Kind::Script),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                "firefox",
                Kind::Browser,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0",
                "edge",
                Kind::Browser,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1",
                "iphone",
                Kind::Mobile,
            ),
            ("ArcGISRuntime-iOS/200.3 ArcGISFieldMaps", "arcgis", Kind::App),
        ] {
            assert_eq!(of(header), Some((id, kind)), "{header}");
        }
        assert_eq!(of("-"), None);
        assert_eq!(of("MyCompany Agent"), None);
    }

    #[test]
    fn the_list_holds() {
        let raw: Vec<Agent> =
            serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/agents.json"))).unwrap();
        assert!(raw.len() <= MOST);
        let ids: HashSet<&str> = raw.iter().map(|a| a.id.as_str()).collect();
        assert_eq!(ids.len(), raw.len());
        let mut words = HashSet::new();
        for word in raw.iter().flat_map(|a| &a.contains) {
            assert!(
                words.insert(word) && *word == word.to_lowercase() && word.len() > 2,
                "{word:?}"
            );
        }
    }
}
