//! Rules made ready for matching: names in one table, literals in one list, regular expressions compiled
//! when they are first needed (a run meets few of them, and start-up has to cost nothing).

use super::check;
use super::checksum::Checksum;
use super::load::LoadError;
use super::model::{Category, Grade, RuleSpec};
use crate::record::{Field, Part, Surface};
use crate::text::packed::{BEFORE, Packed, Visit};
use fearless_simd::Simd;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How specific a match is; where matches overlap, the greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Personal data by its shape alone: it says what stands there, while a name says what it is used for.
    Text,
    /// A name alone.
    Name,
    /// A name under conditions: host, path, companions, value.
    SiteName,
    /// A shape or a path.
    Shape,
    /// A shape with a checksum.
    Checked,
}

/// Size of a compiled expression, in bytes: no rule of ours comes near, and a user's must not take the memory.
const REGEX_SIZE: usize = 4 << 20;

/// A regular expression that is compiled at its first use.
#[derive(Debug)]
pub struct Matcher {
    source: String,
    whole: bool,
    cell: OnceLock<Option<Regex>>,
}

impl Matcher {
    fn new(source: &str, whole: bool) -> Matcher {
        Matcher {
            source: source.to_string(),
            whole,
            cell: OnceLock::new(),
        }
    }

    fn build(source: &str, whole: bool) -> Result<Regex, regex::Error> {
        let wrapped = if whole {
            format!("^(?:{source})$")
        } else {
            source.to_string()
        };
        RegexBuilder::new(&wrapped)
            .unicode(false)
            .size_limit(REGEX_SIZE)
            .build()
    }

    /// The expression; `None` only where it is invalid, which loading has refused already.
    pub fn regex(&self) -> Option<&Regex> {
        self.cell
            .get_or_init(|| Matcher::build(&self.source, self.whole).ok())
            .as_ref()
    }

    /// Whether it matches.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        self.regex().is_some_and(|r| r.is_match(bytes))
    }
}

/// Which of the rules' literals stand in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeywordSet([u64; WORDS]);

/// Words of 64 bits in a set.
const WORDS: usize = 10;

/// How many distinct literals a rule set may have.
pub const MAX_KEYWORDS: usize = WORDS * 64;

/// The least length of a literal, in bytes: shorter ones stand in every other line.
pub const MIN_KEYWORD: usize = 4;

impl KeywordSet {
    /// Adds literal `n`.
    pub fn insert(&mut self, n: usize) {
        self.0[n / 64] |= 1 << (n % 64);
    }

    /// Whether both have one in common.
    pub fn meets(&self, other: &KeywordSet) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &KeywordSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }
}

/// FNV-1a: names are short, asked for by the million, and what is in the table comes from rules alone, so that
/// nobody who writes logs can make chains in it.
struct NameHasher(u64);

type Fnv = BuildHasherDefault<NameHasher>;

impl Default for NameHasher {
    fn default() -> Self {
        NameHasher(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn write_usize(&mut self, n: usize) {
        self.0 = (self.0 ^ n as u64).wrapping_mul(0x0100_0000_01B3);
    }
}

/// A rule ready for matching.
#[derive(Debug)]
pub struct Compiled {
    /// As its file states it.
    pub spec: RuleSpec,
    /// How specific its matches are.
    pub tier: Tier,
    /// Whether the run reports it. Those that are not still mask excerpts.
    pub enabled: bool,
    /// Literals of which one has to stand in the line.
    pub keywords: KeywordSet,
    /// The shape, searched in values.
    pub shape: Option<Matcher>,
    /// Whether the shape asks for a `/`, so that it spans segments of a path; told when it is first asked for.
    spans: OnceLock<bool>,
    /// The expression over paths.
    pub path: Option<Matcher>,
    value: Option<Matcher>,
    not_values: Vec<Matcher>,
    host: Option<Matcher>,
    when_path: Option<Matcher>,
    not_path: Option<Matcher>,
    /// Companions and what their values have to match.
    pub with: Vec<(String, Option<Matcher>)>,
}

impl Compiled {
    fn new(spec: RuleSpec) -> Result<Compiled, LoadError> {
        let bad = |message: String| LoadError::Rule {
            id: spec.id.clone(),
            message,
        };
        let check = |source: &Option<String>, whole: bool| -> Result<Option<Matcher>, LoadError> {
            source.as_ref().map(|s| Ok(Matcher::new(s, whole))).transpose()
        };
        if spec.names.is_empty() && spec.shape.is_none() && spec.path.is_none() {
            return Err(bad(
                "it has none of names, shape and path: it can match nothing".into()
            ));
        }
        if (spec.shape.is_some() || spec.path.is_some()) && spec.keywords.is_empty() {
            return Err(bad(
                "a shape or path needs keywords: literals of which one stands in every line it is to find"
                    .into(),
            ));
        }
        if let Some(short) = spec.keywords.iter().find(|k| k.len() < MIN_KEYWORD) {
            return Err(bad(format!(
                "the keyword {short:?} is shorter than {MIN_KEYWORD} bytes; take more of what stands around it"
            )));
        }
        let with = spec
            .when
            .with
            .iter()
            .map(|(n, v)| (n.clone(), (!v.is_empty()).then(|| Matcher::new(v, true))));
        let conditions = &spec.when;
        let bound = conditions.host.is_some()
            || conditions.path.is_some()
            || !conditions.with.is_empty()
            || !conditions.with_any.is_empty()
            || !conditions.parts.is_empty()
            || !conditions.fields.is_empty()
            || spec.value.is_some();
        let tier = match (&spec.shape, &spec.path, spec.checksum) {
            (Some(_), _, Some(_)) => Tier::Checked,
            (Some(_), None, None) if spec.category == Category::PersonalData => Tier::Text,
            (Some(_), ..) | (_, Some(_), _) => Tier::Shape,
            _ if bound => Tier::SiteName,
            _ => Tier::Name,
        };
        Ok(Compiled {
            tier,
            enabled: true,
            keywords: KeywordSet::default(),
            shape: spec.shape.as_ref().map(|s| Matcher::new(&s.regex, false)),
            spans: OnceLock::new(),
            path: check(&spec.path, false)?,
            value: check(&spec.value, true)?,
            not_values: spec.not_values.iter().map(|s| Matcher::new(s, false)).collect(),
            host: check(&conditions.host, false)?,
            when_path: check(&conditions.path, false)?,
            not_path: check(&conditions.not_path, false)?,
            with: with.collect(),
            spec,
        })
    }

    /// Compiles every expression; what is wrong with the first that cannot be.
    pub fn verify(&self) -> Result<(), LoadError> {
        let with = self.with.iter().filter_map(|(_, m)| m.as_ref());
        let single = [
            &self.shape,
            &self.path,
            &self.value,
            &self.host,
            &self.when_path,
            &self.not_path,
        ]
        .into_iter()
        .flatten();
        for matcher in single.chain(&self.not_values).chain(with) {
            Matcher::build(&matcher.source, matcher.whole).map_err(|e| LoadError::Rule {
                id: self.spec.id.clone(),
                message: e.to_string(),
            })?;
        }
        Ok(())
    }

    /// Whether the decoded value may be this rule's credential.
    pub fn accepts(&self, value: &[u8]) -> bool {
        let spec = &self.spec;
        self.fits_length(value)
            && self.value.as_ref().is_none_or(|m| m.is_match(value))
            && !self.not_values.iter().any(|m| m.is_match(value))
            && spec
                .min_entropy
                .is_none_or(|min| crate::text::shape::entropy(value) >= min)
            && spec.checksum.is_none_or(|c| c.holds(value))
    }

    /// Whether the value is neither too short nor too long.
    pub fn fits_length(&self, value: &[u8]) -> bool {
        value.len() >= self.spec.min_length.unwrap_or(1)
            && self.spec.max_length.is_none_or(|max| value.len() <= max)
    }

    /// Whether a match of the shape may go on beyond a `/` in a path.
    pub fn spans_segments(&self) -> bool {
        *self.spans.get_or_init(|| {
            let regex = self.spec.shape.as_ref().map(|s| s.regex.as_str());
            regex.is_some_and(check::asks_for_slash)
        })
    }

    /// Whether the value as a whole has the shape and fails the checksum that every value of this kind has: it is none
    /// of them, nor anything else.
    pub fn refutes(&self, value: &[u8]) -> bool {
        self.spec
            .checksum
            .is_some_and(|c| c.is_of_prefix() && !c.holds(value))
            && self
                .shape
                .as_ref()
                .and_then(Matcher::regex)
                .and_then(|r| r.find(value))
                .is_some_and(|m| m.len() == value.len())
    }

    /// Whether lines are looked into for it. A rule of a family that is off masks what it meets elsewhere.
    fn is_sought(&self) -> bool {
        self.enabled || !self.spec.off
    }

    /// Whether it looks at this place at all.
    pub fn looks_at(&self, surface: Surface, field: Field, part: Part) -> bool {
        let w = &self.spec.when;
        (w.fields.is_empty() || w.fields.contains(&field))
            && (w.parts.is_empty() || w.parts.contains(&part))
            && (w.surfaces.is_empty() || w.surfaces.contains(&surface))
    }

    /// Whether it holds for requests of this method.
    pub fn holds_for_method(&self, method: Option<&[u8]>) -> bool {
        let methods = &self.spec.when.methods;
        methods.is_empty()
            || method.is_some_and(|m| methods.iter().any(|x| x.as_bytes().eq_ignore_ascii_case(m)))
    }

    /// Whether it asks for a host or a path.
    pub fn asks_for_owner(&self) -> bool {
        self.host.is_some() || self.when_path.is_some() || self.not_path.is_some()
    }

    /// Whether host and path are those it holds for.
    pub fn holds_for(&self, host: &[u8], path: &[u8]) -> bool {
        self.host.as_ref().is_none_or(|m| m.is_match(host))
            && self.when_path.as_ref().is_none_or(|m| m.is_match(path))
            && self.not_path.as_ref().is_none_or(|m| !m.is_match(path))
    }

    /// Whether it asks for parameters beside the one it looks at.
    pub fn has_companions(&self) -> bool {
        let w = &self.spec.when;
        !(w.with.is_empty() && w.with_any.is_empty() && w.without.is_empty())
    }
}

/// All rules of a run.
#[derive(Debug)]
pub struct RuleSet {
    /// In order of their ids.
    pub rules: Vec<Compiled>,
    names: HashMap<Box<[u8]>, Vec<u16>, Fnv>,
    /// Rules with a shape.
    pub shapes: Vec<u16>,
    /// Rules with an expression over paths.
    pub paths: Vec<u16>,
    /// Rules with a shape whose checksum can say that a value is nothing.
    pub refuting: Vec<u16>,
    patterns: Vec<Box<[u8]>>,
    pattern_of: Vec<u16>,
    /// The literals of rules that are looked for.
    literals: Vec<(Box<[u8]>, u8)>,
    /// By keyword, how many letters or digits follow it at least.
    runs_on: Vec<u8>,
    searcher: OnceLock<Packed>,
    /// How often it was asked for without.
    asked: AtomicUsize,
    digest: String,
}

/// Texts that are searched without a searcher, and how long they are at most, in bytes.
const FEW: usize = 32;
const SHORT: usize = 1024;

/// Notes which literals stand in a text.
struct Keywords<'r> {
    rules: &'r RuleSet,
    set: KeywordSet,
}

impl Visit for Keywords<'_> {
    fn wants<S: Simd>(&self, _: S, _: &[u8; BEFORE], _: u32) -> bool {
        false
    }
    fn equals(&mut self, _: usize) {}
    fn syntax(&mut self, _: usize) {}
    fn literal(&mut self, _: usize, literal: usize) {
        self.set.insert(usize::from(self.rules.pattern_of[literal]));
    }
    fn part(&mut self, _: usize, _: usize) {}
}

impl RuleSet {
    /// Compiles `specs`; where two have one id, the later stands.
    pub fn new(specs: Vec<RuleSpec>) -> Result<RuleSet, LoadError> {
        let by_id: BTreeMap<String, RuleSpec> = specs.into_iter().map(|s| (s.id.clone(), s)).collect();
        let mut hasher = blake3::Hasher::new();
        let mut rules = Vec::with_capacity(by_id.len());
        for spec in by_id.into_values() {
            hasher.update(spec.id.as_bytes()).update(&[0]);
            hasher.update(spec.digest.as_bytes()).update(&[0]);
            rules.push(Compiled::new(spec)?);
        }
        let mut set = RuleSet {
            rules,
            names: HashMap::default(),
            shapes: Vec::new(),
            paths: Vec::new(),
            refuting: Vec::new(),
            patterns: Vec::new(),
            pattern_of: Vec::new(),
            literals: Vec::new(),
            runs_on: Vec::new(),
            searcher: OnceLock::new(),
            asked: AtomicUsize::new(0),
            digest: hasher.finalize().to_hex()[..32].to_string(),
        };
        set.index()?;
        Ok(set)
    }

    fn index(&mut self) -> Result<(), LoadError> {
        let mut keywords: BTreeMap<(String, bool), usize> = BTreeMap::new();
        for (i, rule) in self.rules.iter_mut().enumerate() {
            let n = i as u16;
            for name in &rule.spec.names {
                self.names.entry(name.as_bytes().into()).or_default().push(n);
            }
            if rule.spec.shape.is_some() {
                self.shapes.push(n);
                if rule.spec.checksum.is_some_and(Checksum::is_of_prefix) {
                    self.refuting.push(n);
                }
            }
            if rule.spec.path.is_some() {
                self.paths.push(n);
            }
            for word in &rule.spec.keywords {
                let next = keywords.len();
                let bit = *keywords
                    .entry((word.clone(), rule.spec.exact_case))
                    .or_insert(next);
                if bit >= MAX_KEYWORDS {
                    let message = format!("the rules have more than {MAX_KEYWORDS} different keywords");
                    return Err(LoadError::Rule {
                        id: rule.spec.id.clone(),
                        message,
                    });
                }
                rule.keywords.insert(bit);
                let follow = rule.spec.keyword_runs_on.unwrap_or(0);
                match self.runs_on.get_mut(bit) {
                    Some(least) => *least = follow.min(*least),
                    None => self.runs_on.push(follow),
                }
            }
        }
        let tier = |n: &u16| self.rules[usize::from(*n)].tier;
        for known in self.names.values_mut() {
            known.sort_by_key(|n| (std::cmp::Reverse(tier(n)), *n));
        }
        for ((word, exact), bit) in keywords {
            let mut variants = vec![word.clone()];
            if !exact {
                let lower = word.to_ascii_lowercase();
                let mut title = lower.clone();
                if let Some(first) = title.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                variants.extend([word.to_ascii_uppercase(), lower, title]);
                variants.sort();
                variants.dedup();
            }
            for v in variants {
                self.patterns.push(v.into_bytes().into());
                self.pattern_of.push(bit as u16);
            }
        }
        self.seek();
        Ok(())
    }

    /// Brings what is looked for up to date: families that are off cost nothing until they are asked for.
    fn seek(&mut self) {
        let mut wanted = KeywordSet::default();
        let rules = self.rules.iter().filter(|r| r.is_sought());
        rules.for_each(|r| wanted.extend(&r.keywords));
        let all = self.patterns.iter().zip(&self.pattern_of);
        let sought = all.filter(|(_, bit)| {
            let mut one = KeywordSet::default();
            one.insert(usize::from(**bit));
            one.meets(&wanted)
        });
        self.literals = sought
            .map(|(l, bit)| {
                let follow = self.runs_on.get(usize::from(*bit));
                (l.clone(), follow.copied().unwrap_or(0))
            })
            .collect();
    }

    /// Rules for a folded name, the most specific first.
    pub fn named(&self, name: &[u8]) -> &[u16] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// All folded names that are looked for.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let sought = |n: &u16| self.rules[usize::from(*n)].is_sought();
        let names = self
            .names
            .iter()
            .filter(move |(_, rules)| rules.iter().any(sought));
        names.map(|(name, _)| name.as_ref())
    }

    /// All literals that are looked for, in the cases in which they count: as they stand, lower, upper, and with
    /// a capital first; and how many letters or digits follow each where it counts.
    pub fn literals(&self) -> &[(Box<[u8]>, u8)] {
        &self.literals
    }

    /// Which literals stand in `text`.
    pub fn keywords_in(&self, text: &[u8]) -> KeywordSet {
        let patterns = || self.patterns.iter().map(|l| &**l).collect::<Vec<_>>();
        // A few short texts are searched sooner than the searcher is made.
        if self.searcher.get().is_none() && text.len() < SHORT && self.asked.fetch_add(1, Relaxed) < FEW {
            let mut set = KeywordSet::default();
            for (pattern, keyword) in self.patterns.iter().zip(&self.pattern_of) {
                if memchr::memmem::find(text, pattern).is_some() {
                    set.insert(usize::from(*keyword));
                }
            }
            return set;
        }
        let searcher = self.searcher.get_or_init(|| Packed::new(&[], &patterns()));
        let mut found = Keywords {
            rules: self,
            set: KeywordSet::default(),
        };
        searcher.each(text, &mut found);
        found.set
    }

    /// Of `among`, those that are sought on this surface and have one of these literals, into `out`.
    pub fn worth(&self, among: &[u16], keywords: &KeywordSet, surface: Surface, out: &mut Vec<u16>) {
        out.clear();
        if keywords.is_empty() {
            return;
        }
        out.extend(among.iter().copied().filter(|n| {
            let rule = &self.rules[usize::from(*n)];
            let surfaces = &rule.spec.when.surfaces;
            rule.keywords.meets(keywords)
                && rule.is_sought()
                && (surfaces.is_empty() || surfaces.contains(&surface))
        }));
    }

    /// The rule with this id or, formerly, this id.
    pub fn by_id(&self, id: &str) -> Option<&Compiled> {
        let exact = self.rules.iter().find(|r| r.spec.id == id);
        exact.or_else(|| {
            self.rules
                .iter()
                .find(|r| r.spec.formerly.iter().any(|f| f == id))
        })
    }

    /// Keeps reporting to `only` (all where empty) without `skip`; family names stand for their rules. An id
    /// that is none is returned as the error.
    pub fn select(&mut self, only: &[String], skip: &[String], with: &[String]) -> Result<(), String> {
        let matches = |r: &Compiled, id: &str| {
            r.spec.id == id || r.spec.family == id || r.spec.formerly.iter().any(|f| f == id)
        };
        for id in only.iter().chain(skip).chain(with) {
            if !self.rules.iter().any(|r| matches(r, id)) {
                return Err(id.clone());
            }
        }
        for rule in &mut self.rules {
            let asked = only.iter().chain(with).any(|id| matches(rule, id));
            let skipped = skip.iter().any(|id| matches(rule, id));
            rule.enabled = !skipped && (asked || (only.is_empty() && !rule.spec.off));
        }
        self.seek();
        Ok(())
    }

    /// Tells two rule sets apart, the selection included.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.digest.as_bytes());
        for rule in self.rules.iter().filter(|r| !r.enabled) {
            hasher.update(rule.spec.id.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_string()
    }

    /// Compiles every expression of every rule, so that a mistake in a user's rules shows before the scan.
    pub fn verify(&self) -> Result<(), LoadError> {
        self.rules.iter().try_for_each(Compiled::verify)
    }

    /// Whether a rule's credentials are meant to be public.
    pub fn is_public(&self, rule: u16) -> bool {
        self.rules[usize::from(rule)].spec.grade == Grade::Public
    }
}
