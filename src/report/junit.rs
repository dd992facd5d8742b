//! JUnit XML, for dashboards that read tests: a suite for each family of rules, a case for each finding, which
//! fails where it fails the gate, and an error for each source that was not read whole.

use super::model::{FindingReport, Source};
use super::{Report, words};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes the document.
pub fn write(report: &Report, out: impl Write) -> io::Result<()> {
    let mut suites: BTreeMap<&str, Vec<&FindingReport>> = BTreeMap::new();
    for f in &report.findings {
        let family = report.rule(&f.rule).map_or("rules", |r| r.family.as_str());
        suites.entry(family).or_default().push(f);
    }
    let unread: Vec<&Source> = report.unread().collect();
    let failing = |all: &[&FindingReport]| all.iter().filter(|f| report.fails(f)).count();
    let failures: usize = suites.values().map(|all| failing(all)).sum();

    let mut xml = Writer::new_with_indent(out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    // One case more than findings and sources: a run that found nothing has a test that passed.
    let tests = report.findings.len() + unread.len() + 1;
    open(
        &mut xml,
        "testsuites",
        &counts("plainsight", tests, failures, unread.len()),
    )?;
    suite(&mut xml, "scan", 1 + unread.len(), 0, unread.len(), |xml| {
        let case = [("classname", "scan".to_string()), ("name", "the scan ran".into())];
        open(xml, "testcase", &case)?;
        let mut said = format!("{}\n{}", words::verdict(report), words::gate(report));
        if let Some(text) = words::selection(&report.selection) {
            said.push_str(&format!("\n{text}"));
        }
        leaf(xml, "system-out", &[], &said)?;
        close(xml, "testcase")?;
        unread.iter().try_for_each(|s| source(xml, s))
    })?;
    for (family, all) in &suites {
        suite(&mut xml, family, all.len(), failing(all), 0, |xml| {
            all.iter().try_for_each(|f| finding(xml, f, report.fails(f)))
        })?;
    }
    close(&mut xml, "testsuites")?;
    xml.into_inner().write_all(b"\n")
}

type Attributes = [(&'static str, String)];

fn counts(name: &str, tests: usize, failures: usize, errors: usize) -> [(&'static str, String); 4] {
    [
        ("name", name.to_string()),
        ("tests", tests.to_string()),
        ("failures", failures.to_string()),
        ("errors", errors.to_string()),
    ]
}

fn suite<W: Write>(
    xml: &mut Writer<W>,
    name: &str,
    tests: usize,
    failures: usize,
    errors: usize,
    cases: impl FnOnce(&mut Writer<W>) -> io::Result<()>,
) -> io::Result<()> {
    open(xml, "testsuite", &counts(name, tests, failures, errors))?;
    cases(xml)?;
    close(xml, "testsuite")
}

fn finding<W: Write>(xml: &mut Writer<W>, f: &FindingReport, fails: bool) -> io::Result<()> {
    let name = format!("{}: {}, {} [{}]", f.title, words::place(f), words::owner(f), f.id);
    open(xml, "testcase", &[("classname", f.rule.clone()), ("name", name)])?;
    let mut text = String::new();
    for e in &f.evidence {
        text.push_str(&format!(
            "{} {}: {}\n",
            e.source,
            words::position(e.position),
            e.excerpt
        ));
    }
    for sign in &f.signs {
        text.push_str(&format!("sign of abuse: {}\n", words::sign(sign)));
    }
    for step in &f.advice {
        text.push_str(&format!("{}: {}\n", step.kind, step.title));
    }
    if fails {
        let what = [("type", f.severity.to_string()), ("message", words::sentence(f))];
        leaf(xml, "failure", &what, &text)?;
    } else {
        leaf(xml, "system-out", &[], &format!("{}\n{text}", words::sentence(f)))?;
    }
    close(xml, "testcase")
}

fn source<W: Write>(xml: &mut Writer<W>, s: &Source) -> io::Result<()> {
    open(
        xml,
        "testcase",
        &[("classname", "source".into()), ("name", s.path.clone())],
    )?;
    let problem = s.problem.clone().unwrap_or_default();
    let what = [("type", s.status.to_string()), ("message", problem.clone())];
    leaf(xml, "error", &what, &problem)?;
    close(xml, "testcase")
}

fn open<W: Write>(xml: &mut Writer<W>, name: &str, attributes: &Attributes) -> io::Result<()> {
    xml.write_event(Event::Start(start(name, attributes)))
}

fn close<W: Write>(xml: &mut Writer<W>, name: &str) -> io::Result<()> {
    xml.write_event(Event::End(BytesEnd::new(name)))
}

fn leaf<W: Write>(xml: &mut Writer<W>, name: &str, attributes: &Attributes, text: &str) -> io::Result<()> {
    open(xml, name, attributes)?;
    xml.write_event(Event::Text(BytesText::new(&allowed(text))))?;
    close(xml, name)
}

fn start<'a>(name: &'a str, attributes: &Attributes) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        start.push_attribute((*key, allowed(value).as_str()));
    }
    start
}

/// Without what no XML 1.0 document may hold, escaped or not (XML 1.0 §2.2, `Char`).
fn allowed(text: &str) -> String {
    let fit = |c: &char| matches!(c, '\t' | '\n' | ' '..='\u{FFFD}' | '\u{10000}'..);
    text.chars().filter(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        assert_eq!(
            allowed("a\u{0}\u{1b}[31m\u{FFFE}\u{FFFF}\r\n\t<é😀>"),
            "a[31m\n\t<é😀>"
        );
    }
}
