//! From the merged aggregate to the report: everything here depends on merged state alone, so that parts and
//! the whole give the same.

use super::model::*;
use super::signs::Signs;
use super::words;
use crate::advice::{Book, Case};
use crate::detect::liveness::State as Life;
use crate::finding::{
    Aggregate, Credential, Finding, FindingKey, Ids, Level as FoldLevel, Policies, Trail, earlier,
};
use crate::format::Catalogue;
use crate::gate::{Mark, Policy, Reach, Review};
use crate::input::stop::Why;
use crate::record::{Field, Surface};
use crate::rule::severity::{self, Basis};
use crate::rule::{Confidence, RuleSet, Severity};
use crate::secret::{Fingerprint, hex16};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What a report is built from.
pub struct BuildInput<'a> {
    /// What was found; settled.
    pub aggregate: Aggregate,
    /// The rules of the run.
    pub rules: &'a RuleSet,
    /// The formats of the run.
    pub formats: &'a Catalogue,
    /// The advice.
    pub advice: &'a Book,
    /// What was read; any order.
    pub sources: Vec<Source>,
    /// What else has to be said; any order.
    pub diagnostics: Vec<Diagnostic>,
    /// The clock.
    pub clock: crate::time::Instant,
    /// The earliest and the latest clock of what was joined, where they differ.
    pub clocks: Option<(crate::time::Instant, crate::time::Instant)>,
    /// What fails the run.
    pub gate: &'a Policy,
    /// The configuration file that was read.
    pub file: Option<&'a str>,
    /// Why reading ended early, if it did.
    pub stopped: Option<Why>,
    /// Findings under it are hidden, and change nothing else.
    pub min_severity: Severity,
    /// Findings under it count for nothing.
    pub min_confidence: Confidence,
    /// What tells parts apart that can be joined from those that cannot.
    pub identity: Identity,
}

/// The credentials that a report lists, at most, and how many of them for being busy alone.
const CREDENTIALS: usize = 1_000;
const BUSIEST: usize = 100;

/// Builds the report of a scan, whose selection stands in the policy.
pub fn build(input: BuildInput) -> Report {
    let selection = input.gate.selection.clone();
    build_selected(input, selection)
}

/// Builds the report of what was looked for by this selection.
pub fn build_selected(input: BuildInput, selection: Selection) -> Report {
    let mut sources = input.sources;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let mut diagnostics = input.diagnostics;
    let sure = |f: &Finding| f.confidence >= input.min_confidence;
    let all: Vec<(&FindingKey, &Finding)> = input.aggregate.findings().filter(|(_, f)| sure(f)).collect();
    let mut review = Review::new(input.gate, input.rules, input.clock);
    let tell = |(key, f): &(&FindingKey, &Finding)| {
        let id = key.id(&input.rules.rules[usize::from(key.rule)].spec.id);
        (
            id,
            finding(
                id,
                key,
                f,
                input.rules,
                input.formats,
                input.advice,
                &input.aggregate,
            ),
        )
    };
    let drafts = super::parallel::map(&all, tell);
    let known: BTreeSet<u64> = drafts.iter().map(|(id, _)| *id).collect();
    let mut signs = Signs::of(&input.aggregate, input.rules, &known);
    let mut findings: Vec<FindingReport> = Vec::with_capacity(all.len());
    for ((key, f), (id, mut told)) in all.into_iter().zip(drafts) {
        let rule = &input.rules.rules[usize::from(key.rule)].spec;
        told.signs = signs.take(id, f, rule);
        if told.signs.iter().any(|s| s.weighs) {
            let (severity, basis) = severity::raised_by_signs(rule, f.severity, Basis(f.basis));
            (told.severity, told.severity_basis) = (severity, basis.texts());
        }
        (told.baseline, told.suppressed) = review.judge(key, &told.rule, told.severity);
        findings.push(told);
    }
    findings.sort_by(|a, b| {
        (Reverse(a.severity), Reverse(a.exposures), &a.id).cmp(&(
            Reverse(b.severity),
            Reverse(b.exposures),
            &b.id,
        ))
    });
    let complete = input.stopped.is_none()
        && sources
            .iter()
            .all(|s| matches!(s.status, Status::Complete | Status::Ignored));
    diagnostics.extend(input.file.map(|file| Diagnostic {
        level: super::model::Level::Note,
        source: None,
        message: format!("the settings of {file} were used; --no-config leaves them out"),
        gate: true,
    }));
    diagnostics.extend(input.stopped.map(|why| Diagnostic {
        level: super::model::Level::Error,
        source: None,
        message: format!("{}: this report is partial", why.text()),
        gate: false,
    }));
    diagnostics.extend(words::selection(&selection).map(|message| Diagnostic {
        level: super::model::Level::Note,
        source: None,
        message,
        gate: true, // it is told anew where this report is joined with others
    }));
    let left_out =
        |s: &Source| s.status == Status::Ignored && s.problem.as_deref() == Some(crate::input::LEFT_OUT);
    let reach = Reach {
        complete,
        narrowed: selection.cuts() || sources.iter().any(|s| left_out(s) || !s.parts.is_empty()),
        some_rules: selection.leaves_rules_out(),
    };
    let reviewed = review.finish(reach);
    diagnostics.extend(reviewed.diagnostics);
    diagnostics.sort();
    diagnostics.dedup();
    let mut by_severity: BTreeMap<Severity, u64> = Severity::ALL.iter().map(|s| (*s, 0)).collect();
    for f in &findings {
        *by_severity.entry(f.severity).or_default() += 1;
    }
    let (credentials, credentials_estimated) = input.aggregate.credential_count();
    let (clients, clients_estimated) = input.aggregate.client_count();
    let mut estimated = Vec::new();
    if credentials_estimated {
        estimated.push("credentials");
    }
    if clients_estimated {
        estimated.push("clients");
    }
    let summary = Summary {
        sources: sources.len() as u64,
        bytes: sources.iter().map(|s| s.bytes).sum(),
        records: sources.iter().map(|s| s.records).sum(),
        exposures: findings.iter().map(|f| f.exposures).sum(),
        findings: findings.len() as u64,
        credentials,
        clients,
        by_severity,
        suppressed: reviewed.suppressed,
        complete,
        estimated,
    };
    let credentials = credentials_of(&input.aggregate, input.rules, &findings);
    findings.retain(|f| f.severity >= input.min_severity);
    let rules = rules_of(input.rules, &findings);
    Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool {
            name: "plainsight",
            version: env!("CARGO_PKG_VERSION"),
        },
        clock: input.clock,
        config: input.file.map(str::to_string),
        gate: Gate {
            fail_on: input.gate.fail_on.to_string(),
            failing: reviewed.failing,
            accepted: input.gate.accept.as_ref().map(|_| reviewed.accepted.len() as u64),
        },
        selection,
        summary,
        sources,
        findings,
        rules,
        credentials,
        diagnostics,
        state: State {
            identity: input.identity,
            clocks: input.clocks,
            aggregate: input.aggregate.into_wire(),
        },
        accepted: reviewed.accepted,
    }
}

/// The rules of these findings, by id.
fn rules_of(rules: &RuleSet, findings: &[FindingReport]) -> Vec<RuleReport> {
    let used: BTreeSet<&str> = findings.iter().map(|f| f.rule.as_str()).collect();
    let of = |id: &str| {
        let rule = &rules.rules.iter().find(|r| r.spec.id == id)?.spec;
        Some(RuleReport {
            id: rule.id.clone(),
            title: rule.title.clone(),
            family: rule.family.clone(),
            category: rule.category,
            severity: rule.severity,
            confidence: rule.confidence,
            why: rule.why.clone(),
            references: rule.references.clone(),
        })
    };
    used.into_iter().filter_map(of).collect()
}

fn finding(
    id: u64,
    key: &FindingKey,
    f: &Finding,
    rules: &RuleSet,
    formats: &Catalogue,
    advice: &Book,
    aggregate: &Aggregate,
) -> FindingReport {
    let level = aggregate.level_of(key);
    let rule = &rules.rules[usize::from(key.rule)].spec;
    let mut servers: Vec<String> = Vec::new();
    for (format, writers) in &f.formats {
        for s in writers.among(&formats.get(*format).spec.servers) {
            if !servers.contains(s) {
                servers.push(s.clone());
            }
        }
    }
    let name = if level == FoldLevel::Names {
        crate::url::route::MANY
    } else {
        &key.name
    };
    let referer = key.host.as_deref().filter(|_| key.field == Field::Referer);
    let policies = referer.and_then(|host| aggregate.policies(host));
    let case = Case {
        policy: &policies.map(Policies::sentence).unwrap_or_default(),
        rule,
        surface: key.surface,
        field: key.field,
        part: key.part,
        name,
        host: key.host.as_deref(),
        route: key.route.as_deref(),
        servers: &servers,
        received: !f.leaked_to.is_empty(),
    };
    let (credentials, credentials_estimated) = f.credentials.count();
    let (clients, clients_estimated) = f.clients.count();
    let mut estimated = Vec::new();
    if credentials_estimated {
        estimated.push("credentials");
    }
    if clients_estimated {
        estimated.push("clients");
    }
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx", "unknown"];
    FindingReport {
        id: hex16(id),
        rule: rule.id.clone(),
        title: rule.title.clone(),
        category: rule.category,
        severity: f.severity,
        severity_basis: Basis(f.basis).texts(),
        confidence: f.confidence,
        surface: key.surface,
        field: key.field,
        part: key.part,
        name: key.name.to_string(),
        via: key.via.iter().map(|v| v.to_string()).collect(),
        // Several schemes under one finding: the worst is told.
        scheme: match f.schemes {
            0 => None,
            s if s & 1 != 0 => Some("http"),
            s if s & 2 != 0 => Some("https"),
            _ => Some("other"),
        },
        host: key.host.as_deref().map(str::to_string),
        site: key.site.as_deref().map(str::to_string),
        route: key.route.as_deref().map(str::to_string),
        leaked_to: f.leaked_to.iter().map(|h| h.to_string()).collect(),
        exposures: f.exposures,
        credentials,
        clients,
        estimated,
        first_seen: f.first,
        last_seen: f.last,
        statuses: classes
            .iter()
            .zip(f.statuses)
            .filter(|(_, n)| *n > 0)
            .map(|(c, n)| (*c, n))
            .collect(),
        liveness: match aggregate.told_elsewhere(f) {
            Some(c) => LivenessReport {
                state: c.state,
                until: c.until,
                basis: format!("{}, where the same credential stands elsewhere", c.basis),
                counts: BTreeMap::from([(c.state, f.exposures)]),
            },
            None => LivenessReport {
                state: f.worst(),
                until: f.until,
                basis: f.liveness_basis.to_string(),
                counts: Life::ALL
                    .iter()
                    .map(|s| (*s, f.liveness[*s as usize]))
                    .filter(|(_, n)| *n > 0)
                    .collect(),
            },
        },
        identity: identity(&f.identity),
        signs: Vec::new(),
        evidence: f
            .evidence
            .iter()
            .map(|e| EvidenceReport {
                source: e.source.to_string(),
                position: e.position.into(),
                part: e.part,
                offset: e.offset,
                time: e.time,
                client: e.client.as_deref().map(str::to_string),
                method: e.method.as_deref().map(str::to_string),
                status: e.status,
                excerpt: e.excerpt.to_string(),
                span: e.span,
                credential: Preview {
                    preview: e.preview.to_string(),
                    length: e.length,
                    fingerprint: e.fingerprint,
                    value: e.revealed.clone(),
                },
            })
            .collect(),
        advice: advice.advise(&case),
        references: rule.references.clone(),
        baseline: Mark::New,
        suppressed: None,
    }
}

/// Clients of other networks than the first that had a credential, where it is known when.
fn handed_on(trail: &Trail) -> impl Iterator<Item = StationReport> {
    let first = trail.networks().iter().filter_map(|n| n.first).min();
    trail
        .networks()
        .iter()
        .filter(move |n| n.first > first)
        .map(|n| StationReport {
            finding: None,
            client: Some(n.label.to_string()),
            first_seen: n.first,
        })
}

/// The credentials that are told: those that are followed, and the busiest of the others.
fn credentials_of(
    aggregate: &Aggregate,
    rules: &RuleSet,
    findings: &[FindingReport],
) -> Vec<CredentialReport> {
    let known: HashSet<u64> = findings
        .iter()
        .filter_map(|f| u64::from_str_radix(&f.id, 16).ok())
        .collect();
    // Each of its findings stands under the id of the level to which it was folded: the first that is there.
    let station = |ids: &Ids| ids.iter().copied().find(|id| known.contains(id));
    let mut all: Vec<(bool, Fingerprint, &Credential)> = aggregate
        .credentials()
        .filter_map(|(fingerprint, c)| {
            let mut ids = c.findings.iter().filter_map(|(ids, _)| station(ids));
            let first = ids.next()?;
            let followed =
                ids.any(|id| id != first) || c.surfaces.count_ones() > 1 || c.clients.count().0 > 1;
            Some((followed, fingerprint, c))
        })
        .collect();
    all.sort_by_key(|(followed, fingerprint, c)| (Reverse(*followed), Reverse(c.exposures), *fingerprint));
    let busy = all.iter().take_while(|(followed, ..)| *followed).count();
    all.truncate((busy + BUSIEST).min(CREDENTIALS));
    all.into_iter()
        .map(|(_, fingerprint, c)| credential(fingerprint, c, rules, station))
        .collect()
}

fn credential(
    fingerprint: Fingerprint,
    c: &Credential,
    rules: &RuleSet,
    station: impl Fn(&Ids) -> Option<u64>,
) -> CredentialReport {
    let mut path: Vec<StationReport> = Vec::new();
    for (ids, first) in &c.findings {
        let Some(finding) = station(ids).map(hex16) else {
            continue;
        };
        match path.iter_mut().find(|s| s.finding.as_deref() == Some(&*finding)) {
            Some(s) => s.first_seen = earlier(s.first_seen, *first),
            None => path.push(StationReport {
                finding: Some(finding),
                client: None,
                first_seen: *first,
            }),
        }
    }
    let mut ids: Vec<String> = path.iter().filter_map(|s| s.finding.clone()).collect();
    ids.sort();
    path.extend(handed_on(&c.trail));
    // What has no time goes last; a place stands before those who had it there.
    path.sort_by(|a, b| {
        let when = |s: &StationReport| (s.first_seen.is_none(), s.first_seen, s.client.is_some());
        when(a)
            .cmp(&when(b))
            .then_with(|| (&a.finding, &a.client).cmp(&(&b.finding, &b.client)))
    });
    CredentialReport {
        fingerprint,
        kind: rules.rules[usize::from(c.rule)].spec.category,
        exposures: c.exposures,
        findings: ids,
        path,
        surfaces: Surface::ALL
            .iter()
            .copied()
            .filter(|s| c.surfaces & (1 << *s as u8) != 0)
            .collect(),
        clients: c.clients.count().0,
        first_seen: c.first,
        last_seen: c.last,
        liveness: LivenessReport {
            state: c.state,
            until: c.until,
            basis: c.basis.to_string(),
            counts: BTreeMap::new(),
        },
        identity: identity(&c.identity),
    }
}
