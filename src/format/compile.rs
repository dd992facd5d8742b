//! Strings that servers take for their log formats, compiled into templates: nginx `log_format`, Apache
//! `LogFormat` (and Tomcat's pattern), HAProxy `log-format`, Envoy's format string. The syntax is told by its
//! looks; a JSON object of nginx variables becomes a map of JSON members.

use super::columns::{Captured, Column, header, response_header};
use super::template::Template;
use crate::text::Coding;
use crate::time::TimeForm;

/// Whose syntax a string has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// `$remote_addr - $remote_user [$time_local] "$request"`
    Nginx,
    /// `%h %l %u %t "%r" %>s %b`
    Apache,
    /// `%ci:%cp [%tr] %ft %b/%s`
    Haproxy,
    /// `[%START_TIME%] "%REQ(:METHOD)%`
    Envoy,
}

type Parts = Vec<Result<Vec<u8>, Column>>;

/// A string as it may have been copied out of a server's configuration, without the escapes of that file: quotes
/// with a backslash (Apache, HAProxy, YAML), entities (Tomcat's `server.xml`).
pub fn pasted(format: &str) -> String {
    let plain = format.replace("\\\"", "\"");
    let entities = ["&quot;", "&apos;", "&lt;", "&gt;", "&amp;", "&#34;", "&#39;"];
    if entities.iter().any(|e| plain.contains(e)) {
        let decoded = Coding::Html.decode(plain.as_bytes()).into_owned();
        return String::from_utf8(decoded).unwrap_or(plain);
    }
    plain
}

/// The syntax that `format` looks to be written in.
pub fn guess(format: &str) -> Option<Syntax> {
    if format.contains('$')
        && format
            .split('$')
            .skip(1)
            .any(|p| p.starts_with(|c: char| c.is_ascii_lowercase() || c == '{'))
    {
        Some(Syntax::Nginx)
    } else if has_envoy_operator(format) {
        Some(Syntax::Envoy)
    } else if ["%ci", "%HM", "%HU", "%HP", "%ft", "%tr", "%ST", "%[", "%{+Q"]
        .iter()
        .any(|p| format.contains(p))
    {
        Some(Syntax::Haproxy)
    } else if format.contains('%') {
        Some(Syntax::Apache)
    } else {
        None
    }
}

/// Whether one of Envoy's operators stands in it: a name in capitals and underscores, perhaps what it is applied to
/// in parentheses and a length, and the percent sign that closes it. Directives of the others have one letter, or
/// three at most (HAProxy's `%HPO`, which another may follow), and none is closed.
fn has_envoy_operator(format: &str) -> bool {
    format.match_indices('%').any(|(at, _)| {
        let rest = &format[at + 1..];
        let name = rest
            .find(|c: char| !(c.is_ascii_uppercase() || c == '_'))
            .unwrap_or(0);
        let (name, rest) = rest.split_at(name);
        let applied = rest.starts_with('(');
        let rest = match rest.find(')').filter(|_| applied) {
            Some(end) => &rest[end + 1..],
            None => rest,
        };
        let rest = rest
            .strip_prefix(':')
            .map_or(rest, |r| r.trim_start_matches(|c: char| c.is_ascii_digit()));
        rest.starts_with('%') && (name.len() > 3 || name.len() == 3 && applied)
    })
}

/// Compiles `format`; the error says what of it could not be understood.
pub fn compile(
    format: &str,
    syntax: Syntax,
    escape: Option<Coding>,
    squeeze: bool,
) -> Result<Template, String> {
    let parts = match syntax {
        Syntax::Nginx => nginx(format),
        Syntax::Apache => apache(format)?,
        Syntax::Haproxy => haproxy(format)?,
        Syntax::Envoy => envoy(format)?,
    };
    Template::new(parts, escape, squeeze)
}

/// The escape that a syntax's server writes unless told otherwise.
pub fn default_escape(syntax: Syntax) -> Option<Coding> {
    match syntax {
        Syntax::Nginx | Syntax::Apache => Some(Coding::Backslash),
        Syntax::Haproxy => Some(Coding::Hash),
        Syntax::Envoy => None,
    }
}

fn literal(parts: &mut Parts, text: &str) {
    parts.push(Ok(text.as_bytes().to_vec()));
}

fn nginx(format: &str) -> Parts {
    let mut parts = Parts::new();
    let mut rest = format;
    while let Some(at) = rest.find('$') {
        literal(&mut parts, &rest[..at]);
        rest = &rest[at + 1..];
        let braced = rest.starts_with('{');
        let body = rest.strip_prefix('{').unwrap_or(rest);
        let len = body
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(body.len());
        if len == 0 {
            literal(&mut parts, "$");
            continue;
        }
        parts.push(Err(nginx_variable(&body[..len])));
        rest = &body[len..];
        if braced {
            rest = rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    literal(&mut parts, rest);
    parts
}

/// What a variable of nginx means; built-in formats use some more of our own.
pub fn nginx_variable(name: &str) -> Column {
    match name {
        "remote_addr" | "realip_remote_addr" | "client_addr" | "the_real_ip" => Column::Client,
        "http_x_forwarded_for" | "proxy_add_x_forwarded_for" => Column::ForwardedFor,
        "ident" => Column::Ident,
        "remote_user" => Column::User,
        "time_local" => Column::Time(TimeForm::Clf),
        "time_iso8601" => Column::Time(TimeForm::Iso),
        "msec" => Column::Time(TimeForm::Epoch),
        "time_any" | "time_plain" => Column::Time(TimeForm::Auto),
        "time_ctime" => Column::Time(TimeForm::Ctime),
        "time_slashes" => Column::Time(TimeForm::Slashes),
        "date" => Column::Date,
        "request" => Column::Request,
        "request_method" => Column::Method,
        "request_uri" => Column::Url,
        "uri" | "document_uri" => Column::Path,
        "args" | "query_string" | "is_args" => Column::Query,
        "status" => Column::Status,
        "host" | "http_host" | "server_name" | "ssl_server_name" => Column::Host,
        "host_name" => Column::HostName,
        "scheme" => Column::Scheme,
        "server_port" => Column::Port,
        "http_referer" | "http_referrer" => Column::Referer,
        "http_user_agent" => Column::UserAgent,
        "http_cookie" => Column::Cookies,
        "redirect_url" => Column::Location,
        "request_body" => Column::Body,
        "message" => Column::Message,
        "captured_request" => Column::Captured(Captured::Request),
        "captured_response" => Column::Captured(Captured::Response),
        "captured" => Column::Captured(Captured::Either),
        "body_bytes_sent"
        | "bytes_sent"
        | "request_length"
        | "request_time"
        | "connection"
        | "connection_requests"
        | "number" => Column::Number,
        "word" | "server_protocol" | "upstream_addr" | "remote_port" | "pipe" | "ssl_protocol"
        | "ssl_cipher" | "req_id" | "request_id" => Column::Word,
        _ => {
            let rest = |prefix: &str| name.strip_prefix(prefix).map(|n| n.replace('_', "-"));
            rest("sent_http_")
                .map(|n| response_header(&n))
                .or_else(|| rest("http_").map(|n| header(&n)))
                .or_else(|| name.strip_prefix("arg_").map(|n| Column::Param(n.into())))
                .or_else(|| name.strip_prefix("cookie_").map(|n| Column::Cookie(n.into())))
                .unwrap_or(Column::Other)
        }
    }
}

fn apache(format: &str) -> Result<Parts, String> {
    let mut parts = Parts::new();
    let format = format.replace("\\t", "\t");
    let mut rest = match format.as_str() {
        "common" => r#"%h %l %u %t "%r" %s %b"#,
        "combined" => r#"%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i""#,
        other => other,
    };
    while let Some(at) = rest.find('%') {
        literal(&mut parts, &rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            literal(&mut parts, "%");
            rest = after;
            continue;
        }
        // `%!400,501{…}i`, `%>s`, `%<s`
        rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || "!,<>".contains(c));
        let mut argument = None;
        if let Some(inner) = rest.strip_prefix('{') {
            let end = inner
                .find('}')
                .ok_or_else(|| format!("a brace is not closed: %{{{inner}"))?;
            argument = Some(&inner[..end]);
            rest = &inner[end + 1..];
        }
        rest = rest.trim_start_matches(['>', '<']);
        let directive = rest.chars().next().ok_or("it ends in a lone %")?;
        rest = &rest[directive.len_utf8()..];
        if directive == '^' {
            // `%{…}^ti`: a trailer.
            rest = rest.get(2..).unwrap_or_default();
            parts.push(Err(Column::Other));
            continue;
        }
        if directive == 't' && argument.is_none() {
            literal(&mut parts, "[");
            parts.push(Err(Column::Time(TimeForm::Clf)));
            literal(&mut parts, "]");
            continue;
        }
        if let ('t', Some(form)) = (directive, argument) {
            apache_time(&mut parts, form);
            continue;
        }
        parts.push(Err(apache_directive(directive, argument)
            .ok_or_else(|| format!("%{directive} is no directive that is known"))?));
    }
    literal(&mut parts, rest);
    Ok(parts)
}

/// A time in a form of its own. A time may be put together of several (`%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t`): its
/// fraction and its zone belong to what stands before them.
fn apache_time(parts: &mut Parts, form: &str) {
    let form = form
        .strip_prefix("begin:")
        .or_else(|| form.strip_prefix("end:"))
        .unwrap_or(form);
    let column = match form {
        "sec" | "msec" | "usec" | "%s" => Column::Time(TimeForm::Epoch),
        "%Y-%m-%d" | "%F" => Column::Date,
        "msec_frac" | "usec_frac" | "%z" | "%Z" => {
            let at = match parts.as_slice() {
                [.., Err(Column::Time(_)), Ok(between)] if matches!(&**between, b"" | b"." | b"," | b" ") => {
                    Some(parts.len() - 1)
                }
                [.., Err(Column::Time(_))] => Some(parts.len()),
                _ => None,
            };
            match at {
                Some(at) => parts.truncate(at),
                None => parts.push(Err(Column::Word)),
            }
            return;
        }
        form if form.starts_with("%d/%b/%Y") => Column::Time(TimeForm::Clf),
        form if form.starts_with("%Y-%m-%d") || form.starts_with("%F") => Column::Time(TimeForm::Iso),
        _ => Column::Time(TimeForm::Auto),
    };
    parts.push(Err(column));
}

fn apache_directive(directive: char, argument: Option<&str>) -> Option<Column> {
    Some(match (directive, argument) {
        ('h' | 'a', _) => Column::Client,
        ('l', _) => Column::Ident,
        ('u', _) => Column::User,
        ('r', _) => Column::Request,
        ('m', _) => Column::Method,
        ('U', _) => Column::Path,
        ('q', _) => Column::Query,
        ('s', None) => Column::Status,
        ('v' | 'V', _) => Column::Host,
        ('p', _) => Column::Port,
        ('b' | 'B' | 'D' | 'T' | 'I' | 'O' | 'S', Some(_))
        | ('b' | 'B' | 'D' | 'T' | 'I' | 'O' | 'F', None) => Column::Number,
        // Tomcat: the session's id.
        ('S', None) => Column::Cookie("jsessionid".into()),
        ('i', Some(name)) => header(name),
        ('o', Some(name)) => response_header(name),
        ('C' | 'c', Some(name)) => Column::Cookie(name.to_ascii_lowercase()),
        ('s' | 'n' | 'e' | 'x' | 'P' | 'R', Some(_)) => Column::Other,
        ('A' | 'f' | 'H' | 'k' | 'P' | 'X' | 'L' | 'R', _) => Column::Word,
        _ => return None,
    })
}

fn haproxy(format: &str) -> Result<Parts, String> {
    let mut parts = Parts::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        literal(&mut parts, &rest[..at].replace('\\', ""));
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            literal(&mut parts, "%");
            rest = after;
            continue;
        }
        let mut quoted = false;
        if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').ok_or("a brace is not closed")?;
            quoted = inner[..end].contains('Q');
            rest = &inner[end + 1..];
        }
        let column = if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').ok_or("a bracket is not closed")?;
            let sample = &inner[..end];
            rest = &inner[end + 1..];
            haproxy_sample(sample)
        } else {
            let len = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let name = &rest[..len];
            rest = &rest[len..];
            haproxy_alias(name).ok_or_else(|| format!("%{name} is no variable that is known"))?
        };
        if quoted {
            literal(&mut parts, "\"");
        }
        parts.push(Err(column));
        if quoted {
            literal(&mut parts, "\"");
        }
    }
    literal(&mut parts, &rest.replace('\\', ""));
    Ok(parts)
}

fn haproxy_sample(sample: &str) -> Column {
    let argument = sample.split_once('(').and_then(|(_, a)| a.split(')').next());
    match sample.split(['(', ',']).next().unwrap_or_default() {
        "src" => Column::Client,
        "path" => Column::Path,
        "pathq" | "url" | "capture.req.uri" => Column::Url,
        "query" => Column::Query,
        "method" | "capture.req.method" => Column::Method,
        "status" => Column::Status,
        "req.hdr" | "hdr" | "req.fhdr" => header(argument.unwrap_or_default()),
        "res.hdr" | "res.fhdr" => response_header(argument.unwrap_or_default()),
        _ => Column::Other,
    }
}

fn haproxy_alias(name: &str) -> Option<Column> {
    Some(match name {
        "ci" => Column::Client,
        "cp" | "bp" | "fp" | "sp" => Column::Port,
        "t" | "tr" | "T" | "Tl" | "trl" | "tl" => Column::Time(TimeForm::Clf),
        "Ts" | "ts" => Column::Time(TimeForm::Epoch),
        "r" => Column::Request,
        "HM" => Column::Method,
        "HU" => Column::Url,
        "HP" | "HPO" => Column::Path,
        "HQ" => Column::Query,
        "ST" => Column::Status,
        "CC" | "CS" => Column::Cookies,
        "hr" => Column::Captured(Captured::Request),
        "hs" => Column::Captured(Captured::Response),
        "hrl" | "hsl" => Column::Other,
        "ft" | "f" | "b" | "s" | "si" | "bi" | "fi" | "tsc" | "HV" | "ID" | "sslc" | "sslv" | "pid" | "H"
        | "rt" | "lc" | "ms" | "o" => Column::Word,
        "TR" | "Tw" | "Tc" | "Tr" | "Ta" | "Tt" | "Tq" | "Ti" | "Td" | "Th" | "Tu" | "B" | "U" | "ac"
        | "fc" | "bc" | "sc" | "rc" | "sq" | "bq" => Column::Number,
        _ => return None,
    })
}

fn envoy(format: &str) -> Result<Parts, String> {
    let mut parts = Parts::new();
    let mut rest = format.trim_end_matches("\\n");
    while let Some(at) = rest.find('%') {
        literal(&mut parts, &rest[..at]);
        rest = &rest[at + 1..];
        // The closing % is the first outside of parentheses: START_TIME(%s.%3f) has some inside.
        let mut depth = 0;
        let end = rest.char_indices().find(|&(_, c)| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == '%' && depth <= 0
        });
        let (end, _) = end.ok_or_else(|| format!("a % is not closed: %{rest}"))?;
        parts.push(Err(envoy_operator(&rest[..end])));
        rest = &rest[end + 1..];
    }
    literal(&mut parts, rest);
    Ok(parts)
}

fn envoy_operator(operator: &str) -> Column {
    let (name, argument) = operator.split_once('(').map_or((operator, ""), |(n, a)| {
        (n, a.split(')').next().unwrap_or_default())
    });
    let first = argument.split('?').next().unwrap_or_default();
    match name {
        "START_TIME" if argument.contains("%s") => Column::Time(TimeForm::Epoch),
        "START_TIME" => Column::Time(TimeForm::Auto),
        "REQ" => header(first),
        "REQ_WITHOUT_QUERY" => Column::Path,
        "RESP" => match response_header(first) {
            Column::ResponseHeader(_) => Column::Word,
            other => other,
        },
        "PATH" => Column::Url,
        "RESPONSE_CODE" => Column::Status,
        "DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Column::Client,
        "BYTES_RECEIVED" | "BYTES_SENT" | "DURATION" | "RESPONSE_DURATION" => Column::Number,
        "PROTOCOL"
        | "RESPONSE_FLAGS"
        | "UPSTREAM_HOST"
        | "UPSTREAM_CLUSTER"
        | "UPSTREAM_LOCAL_ADDRESS"
        | "REQUESTED_SERVER_NAME"
        | "ROUTE_NAME" => Column::Word,
        _ => Column::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_is_told_by_what_only_one_server_has() {
        for (pasted_from, want) in [
            (
                r#"%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#,
                Syntax::Apache,
            ),
            (
                r#"%v:%p %h %l %u %t \"%m %U %H\" %>s %B \"%{Referer}i\" \"%{X-A}i\""#,
                Syntax::Apache,
            ),
            ("%h %l %u %t &quot;%m %U %H&quot; %s %b %T %D", Syntax::Apache),
            (
                r#"%ci:%cp [%tr] %ft %ST %B %CC %CS %tsc \"%HM %HPO %HV\""#,
                Syntax::Haproxy,
            ),
            (
                r#"[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH):256%\" %RESPONSE_CODE%"#,
                Syntax::Envoy,
            ),
            ("%REQ(:PATH)%", Syntax::Envoy),
            ("%DURATION% %PROTOCOL%", Syntax::Envoy),
            (
                r#"$remote_addr [$time_local] \"$request\" %START_TIME%"#,
                Syntax::Nginx,
            ),
        ] {
            let format = pasted(pasted_from);
            assert_eq!(guess(&format), Some(want), "{pasted_from}");
            assert!(!format.contains(['\\', '&']), "{format}");
            compile(&format, want, default_escape(want), false).unwrap_or_else(|e| panic!("{format}: {e}"));
        }
        // Most columns that nothing stands between are no format, and are still nobody else's.
        assert_eq!(guess("%H%U%q %T%B%D"), Some(Syntax::Apache));
        assert_eq!(guess("%HPO%HQ %HM %ST%TR%Tw"), Some(Syntax::Haproxy));
        assert_eq!(guess("no format at all"), None);
    }

    /// Client, host, time and the carriers of a line.
    fn read(format: &str, syntax: Syntax, line: &str) -> String {
        use super::super::template::{Fit, Ranges};
        use crate::record::Content;
        use crate::text::{Base, Text};
        let template = compile(format, syntax, default_escape(syntax), false).unwrap();
        let base = Base::Source { offset: 0 };
        let line = Text::new(line.as_bytes(), &base);
        let mut ranges = Ranges::new();
        let fits = [Fit::Exact, Fit::Extra, Fit::Relaxed];
        assert!(
            fits.into_iter().any(|f| template.fits(line, f, &mut ranges)),
            "{format}"
        );
        let mut out = String::new();
        let text =
            |t: Option<Text>| t.map_or("-".into(), |t| String::from_utf8_lossy(t.bytes()).into_owned());
        template.read(line, &ranges, 0, &mut |r| {
            out = format!(
                "{} {} {}",
                text(r.client),
                text(r.host),
                text(r.time.map(|(t, _)| t))
            );
            for c in &r.carriers {
                if let Content::Url(u) = c.content {
                    out += &format!(" {}?{}", text(Some(u.path)), text(u.query));
                }
            }
        });
        out
    }

    #[test]
    fn pieces_of_a_url_may_stand_side_by_side() {
        for (format, syntax, line, want) in [
            (
                r#"$remote_addr "$request_method $scheme://$host$request_uri $server_protocol" $status"#,
                Syntax::Nginx,
                r#"192.0.2.1 "GET https://h.example:8443/a?b=1 HTTP/1.1" 200"#,
                "192.0.2.1 h.example:8443 - /a?b=1",
            ),
            (
                "$remote_addr $uri$is_args$args $status",
                Syntax::Nginx,
                "192.0.2.1 /a?b=1 200",
                "192.0.2.1 - - /a?b=1",
            ),
            (
                r#"%h "%m %U%q" %s"#,
                Syntax::Apache,
                r#"192.0.2.1 "GET /a?b=1" 200"#,
                "192.0.2.1 - - /a?b=1",
            ),
            (
                r#"%h "%U%q""#,
                Syntax::Apache,
                r#"192.0.2.1 "/a""#,
                "192.0.2.1 - - /a?-",
            ),
            (
                "%ci %HM %HPO%HQ %ST",
                Syntax::Haproxy,
                "192.0.2.1 GET /a?b=1 200",
                "192.0.2.1 - - /a?b=1",
            ),
            (
                r#"%h [%{begin:%d/%b/%Y %T}t.%{begin:msec_frac}t %{begin:%z}t] "%r""#,
                Syntax::Apache,
                r#"192.0.2.1 [05/Mar/2026 10:00:00.123 +0200] "GET /a?b=1 HTTP/1.1""#,
                "192.0.2.1 - 05/Mar/2026 10:00:00.123 +0200 /a?b=1",
            ),
            (
                r#"%{%Y-%m-%d %T}t.%{msec_frac}t %h "%r""#,
                Syntax::Apache,
                r#"2026-03-05 10:00:00.123 192.0.2.1 "GET /a?b=1 HTTP/1.1""#,
                "192.0.2.1 - 2026-03-05 10:00:00.123 /a?b=1",
            ),
        ] {
            assert_eq!(read(format, syntax, line), want, "{format}");
        }
        assert!(compile("%h%U", Syntax::Apache, None, false).is_err());
    }
}
