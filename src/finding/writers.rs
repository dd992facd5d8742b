//! Which programs a source's name tells of. Several servers write the same line (nginx and Apache their combined
//! one), and the folder often says which of them did: `/var/log/nginx/access.log`. What is kept of it is a set,
//! so that it can be merged.

use serde::{Deserialize, Serialize};

/// Servers that share a format with another; the bit of each is its place.
const SERVERS: [&str; 8] = [
    "nginx",
    "apache",
    "tomcat",
    "squid",
    "varnish",
    "envoy",
    "istio",
    "atlassian",
];

/// Words in names of sources, and the server that each tells of.
const WORDS: [(&str, &str); 13] = [
    ("nginx", "nginx"),
    ("apache", "apache"),
    ("httpd", "apache"),
    ("tomcat", "tomcat"),
    ("catalina", "tomcat"),
    ("squid", "squid"),
    ("varnish", "varnish"),
    ("envoy", "envoy"),
    ("istio", "istio"),
    ("atlassian", "atlassian"),
    ("jira", "atlassian"),
    ("confluence", "atlassian"),
    ("bitbucket", "atlassian"),
];

/// A set of servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Writers(u8);

impl Writers {
    /// The servers that a source of that name may have been written by; none where the name tells of none.
    pub fn of(source: &str) -> Writers {
        // Apache Tomcat is not Apache httpd.
        let name = source.to_ascii_lowercase().replace("apache-tomcat", "tomcat");
        let told = WORDS.iter().filter(|(word, _)| {
            name.match_indices(word)
                .any(|(at, _)| !name[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
        });
        Writers(told.fold(0, |set, (_, server)| set | bit(server)))
    }

    /// Those of `servers`, all of which write the same format, that it tells of; all where it tells of none of them.
    pub fn among(self, servers: &[String]) -> impl Iterator<Item = &String> {
        let any = servers.iter().any(|s| self.0 & bit(s) != 0);
        servers.iter().filter(move |s| !any || self.0 & bit(s) != 0)
    }
}

fn bit(server: &str) -> u8 {
    SERVERS.iter().position(|s| *s == server).map_or(0, |n| 1 << n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_tells_which_of_a_formats_servers_it_was() {
        let both = ["nginx", "apache"].map(String::from);
        for (source, want) in [
            ("/var/log/nginx/access.log", &["nginx"][..]),
            ("C:\\Program Files\\Apache Group\\logs\\access.log", &["apache"]),
            ("/etc/httpd/logs/access_log", &["apache"]),
            ("logs.tar!apache2/nginx/a.log", &["nginx", "apache"]),
            ("/var/log/lighttpd/access.log", &["nginx", "apache"]),
            ("/opt/apache-tomcat-9/logs/a.log", &["nginx", "apache"]),
            ("access.log", &["nginx", "apache"]),
        ] {
            let told: Vec<&String> = Writers::of(source).among(&both).collect();
            assert_eq!(told, want, "{source}");
        }
    }
}
