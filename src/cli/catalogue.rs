//! `plainsight explain`, `rules` and `formats`: what the program knows, told from the same data that it works
//! with.

use super::scan::RuleArgs;
use super::{Ending, output};
use crate::advice::{Book, Case, Given};
use crate::format::{Catalogue, Kind};
use crate::record::{Field, Part, Surface};
use crate::rule::{self, RuleSpec, check};
use crate::text::nearest;
use anyhow::bail;
use std::fmt::Write as _;
use std::path::Path;

/// `explain RULE`.
pub fn explain(id: &str, args: &RuleArgs) -> Ending {
    let rules = args.load()?;
    let Some(found) = rules.by_id(id) else {
        if id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
            bail!("{id} looks like a finding's id: name the report, too: --report REPORT.json");
        }
        bail!(
            "{id:?} is no rule{}; see `plainsight rules list`",
            nearest::hint(id, rules.rules.iter().map(|r| r.spec.id.as_str()))
        );
    };
    let r = &found.spec;
    let book = Book::builtin()?;
    let mut out = String::new();
    let _ = writeln!(out, "{}\n{}", r.id, r.title);
    let _ = writeln!(
        out,
        "severity {}, confidence up to {}, {}, family {}, since {}\n",
        r.severity, r.confidence, r.category, r.family, r.since
    );
    let _ = writeln!(out, "Why it matters\n  {}\n", r.why);
    let _ = writeln!(out, "What it looks at");
    if !r.names.is_empty() {
        let _ = writeln!(out, "  names: {}", r.names.join(", "));
    }
    if let Some(s) = &r.shape {
        let _ = writeln!(out, "  values of the shape {}", s.regex);
    }
    if let Some(p) = &r.path {
        let _ = writeln!(out, "  paths that match {p}");
    }
    if let Some(p) = &r.when.path {
        let _ = writeln!(out, "  where the path matches {p}");
    }
    if let Some(h) = &r.when.host {
        let _ = writeln!(out, "  where the host matches {h}");
    }
    let beside: Vec<&str> = r
        .when
        .with
        .keys()
        .chain(&r.when.with_any)
        .map(String::as_str)
        .collect();
    if !beside.is_empty() {
        let _ = writeln!(out, "  with beside it: {}", beside.join(", "));
    }
    let (general, by_server) = remedies(r, &book)?;
    let _ = writeln!(out, "\nHow to fix it");
    general.iter().for_each(|step| tell(step, &mut out));
    let _ = writeln!(out, "\nExamples that it finds");
    r.examples.iter().for_each(|e| {
        let _ = writeln!(out, "  {e}");
    });
    let _ = writeln!(out, "Examples that it leaves alone");
    r.counter_examples.iter().for_each(|e| {
        let _ = writeln!(out, "  {e}");
    });
    let _ = writeln!(out, "\nReferences: {}", r.references.join("; "));
    if !by_server.is_empty() {
        let _ = writeln!(out, "\nHow to keep it out of the logs, server by server");
        by_server.iter().for_each(|step| tell(step, &mut out));
    }
    output::stdout(|w| w.write_all(out.as_bytes()))?;
    Ok(0)
}

/// All steps that a report may tell somebody to take for a rule's findings: those for every server, and those for one.
fn remedies(rule: &RuleSpec, book: &Book) -> anyhow::Result<(Vec<Given>, Vec<Given>)> {
    let formats = Catalogue::builtin()?;
    let mut servers: Vec<String> = Vec::new();
    for server in formats.all().iter().flat_map(|f| &f.spec.servers) {
        if !servers.contains(server) {
            servers.push(server.clone());
        }
    }
    let of = |servers: &[String]| {
        let mut all: Vec<Given> = Vec::new();
        for surface in Surface::ALL.iter().copied() {
            for (field, received) in [
                (Field::Url, false),
                (Field::Referer, false),
                (Field::Referer, true),
            ] {
                let case = Case {
                    rule,
                    surface,
                    field,
                    part: Part::Query,
                    received,
                    name: "",
                    host: None,
                    route: None,
                    servers,
                    policy: "",
                };
                for step in book.advise(&case) {
                    if all.iter().all(|a| a.id != step.id) {
                        all.push(step);
                    }
                }
            }
        }
        all.sort_by_key(|step| step.kind);
        all
    };
    let general = of(&[]);
    let mut by_server = of(&servers);
    by_server.retain(|step| general.iter().all(|g| g.id != step.id));
    Ok((general, by_server))
}

fn tell(step: &Given, out: &mut String) {
    let _ = writeln!(out, "  - {}: {}\n    {}", step.kind, step.title, step.text);
    let snippet = step.snippet.as_deref().unwrap_or_default();
    for line in snippet.trim_matches('\n').lines() {
        let _ = writeln!(out, "      {line}");
    }
}

/// How rules are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// A line a rule.
    Text,
    /// A page.
    Markdown,
}

/// `rules list`.
pub fn list(args: &RuleArgs, format: ListFormat) -> Ending {
    let rules = args.load()?;
    if format == ListFormat::Markdown {
        let page = super::rulebook::page(&rules, &Book::builtin()?);
        output::stdout(|w| w.write_all(page.as_bytes()))?;
        return Ok(0);
    }
    let mut out = String::new();
    let width = rules.rules.iter().map(|r| r.spec.id.len()).max().unwrap_or(0);
    let mut sorted: Vec<_> = rules.rules.iter().collect();
    sorted.sort_by(|a, b| (&a.spec.family, &a.spec.id).cmp(&(&b.spec.family, &b.spec.id)));
    let mut family = "";
    for r in sorted {
        if r.spec.family != family {
            let _ = writeln!(
                out,
                "{}{}",
                if family.is_empty() { "" } else { "\n" },
                r.spec.family
            );
            family = &r.spec.family;
        }
        let off = if r.enabled { "" } else { " (off)" };
        let _ = writeln!(
            out,
            "  {:width$}  {:8}  {}{off}",
            r.spec.id, r.spec.severity, r.spec.title
        );
    }
    let _ = writeln!(
        out,
        "\n{} rules. `plainsight explain RULE` tells more.",
        rules.rules.len()
    );
    output::stdout(|w| w.write_all(out.as_bytes()))?;
    Ok(0)
}

/// `rules check [DIR]`.
pub fn check(dir: Option<&Path>) -> Ending {
    let builtin = rule::builtin()?;
    let (specs, own, silence): (Vec<_>, Option<Vec<String>>, Vec<String>) = match dir {
        None => (builtin, None, Vec::new()),
        Some(dir) => {
            let own = rule::load_dir(dir)?;
            let ids: Vec<String> = own.rules.iter().map(|r| r.id.clone()).collect();
            let specs: Vec<_> = builtin.into_iter().chain(own.rules).collect();
            let known = |id: &String| specs.iter().any(|r| r.id == *id || r.family == *id);
            if let Some(id) = own.silence.iter().find(|id| !known(id)) {
                bail!("{id:?} is to be silenced, and is no rule and no family of rules");
            }
            (specs, Some(ids), own.silence)
        }
    };
    let problems = check::check(&specs, own.as_deref(), &silence)?;
    let count = own.as_ref().map_or(specs.len(), Vec::len);
    for p in &problems {
        output::say(&p.to_string());
    }
    output::stdout(|w| {
        writeln!(
            w,
            "{count} rules checked, {} problem{}.",
            problems.len(),
            if problems.len() == 1 { "" } else { "s" }
        )
    })?;
    // What cannot be used is an error of configuration.
    Ok(if problems.is_empty() { 0 } else { 2 })
}

/// `formats`.
pub fn formats() -> Ending {
    let all = Catalogue::builtin()?;
    let mut out = String::new();
    let width = all.all().iter().map(|f| f.spec.id.len()).max().unwrap_or(0);
    for (heading, kinds) in [
        ("Text formats", &[Kind::Template][..]),
        (
            "Formats that name their fields",
            &[Kind::W3c, Kind::Json, Kind::Logfmt],
        ),
        (
            "Messages and the rest",
            &[
                Kind::ErrorLog,
                Kind::Arcgis,
                Kind::HttpMessage,
                Kind::AnyJson,
                Kind::Text,
            ],
        ),
    ] {
        let _ = writeln!(out, "{heading}");
        for f in all.all().iter().filter(|f| kinds.contains(&f.spec.kind)) {
            let _ = writeln!(out, "  {:width$}  {}", f.spec.id, f.spec.title);
        }
        let _ = writeln!(out);
    }
    out.push_str(
        "Peeled off before: docker json-file, CRI (cut lines are joined), syslog (RFC 3164, 5424), journald JSON,
docker compose. Opened before: gzip, zstd, bzip2, xz, tar, zip, UTF-16, all told by content.

Your own format: --log-format takes a name from above, or the string from the server's configuration:
  nginx    --log-format '$remote_addr [$time_local] \"$request\" $status \"$http_referer\"'
  Apache   --log-format '%h %l %u %t \"%r\" %>s %b \"%{Referer}i\"'
  HAProxy  --log-format '%ci:%cp [%tr] %ft %b/%s %ST %B %{+Q}r'
  Envoy    --log-format '[%START_TIME%] \"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%\" %RESPONSE_CODE%'
  nginx escape=json: the whole JSON object, variables and all.
Lines that do not fit it are read as any other line is.
",
    );
    output::stdout(|w| w.write_all(out.as_bytes()))?;
    Ok(0)
}
