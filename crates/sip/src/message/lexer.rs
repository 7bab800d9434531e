//! Splits a message into ranges over its buffer. Nothing is copied, no value is looked into but Content-Length.

use std::ops::Range;

use memchr::{memchr, memchr3, memmem};
use smallvec::SmallVec;

use super::error::ParseError;
use super::grammar;
use super::header_name::HeaderName;
use super::method::Method;
use super::octets::{BLANK, TOKEN};

/// Headers that fit without a further allocation.
const USUAL_HEADERS: usize = 24;

/// A range of the buffer, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    fn new(range: Range<usize>) -> Span {
        let small =
            |at: usize| u32::try_from(at).expect("messages are checked to be shorter than 4 GiB");
        Span {
            start: small(range.start),
            end: small(range.end),
        }
    }

    pub(super) fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..self.end as usize]
    }
}

/// One header line, folds included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its name, if known.
    pub(super) id: Option<HeaderName>,
    /// The name as written.
    pub(super) name: Span,
    /// The value, blanks at both ends cut, folds kept.
    pub(super) value: Span,
    /// From the first octet of the name to the last of the line end.
    pub(super) line: Span,
}

/// The first line.
#[derive(Debug, Clone)]
pub(super) enum StartLine {
    Request { method: Method, uri: Span },
    Response { status: u16, reason: Span },
}

/// Damage that leaves the sender answerable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    Version,
    StartLine(&'static str),
    Header(&'static str),
    ContentLength(&'static str),
    ShortBody { announced: usize, arrived: usize },
}

/// Everything known of a message after one pass.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) start: StartLine,
    pub(super) headers: SmallVec<[Entry; USUAL_HEADERS]>,
    /// The first damage found.
    pub(super) defect: Option<Defect>,
    /// Where the headers start.
    pub(super) headers_at: usize,
    /// Where the body starts.
    pub(super) body: usize,
    /// Content-Length, if it is there and can be read.
    pub(super) content_length: Option<usize>,
    /// Whether a Content-Length cannot be read or differs from another.
    bad_content_length: bool,
}

impl Parts {
    pub(super) fn has_bad_content_length(&self) -> bool {
        self.bad_content_length
    }

    pub(super) fn note(&mut self, defect: Defect) {
        self.defect.get_or_insert(defect);
    }
}

/// Octets of line ends before the first line (RFC 3261 section 7.5).
pub(super) fn leading_line_ends(buffer: &[u8]) -> usize {
    let mut at = 0;
    while buffer[at..].starts_with(b"\r\n") {
        at += 2;
    }
    at
}

/// Reads start line and headers; `buffer` starts with the start line.
pub(super) fn lex(buffer: &[u8]) -> Result<Parts, ParseError> {
    if buffer.is_empty() {
        return Err(ParseError::Empty);
    }
    let first = line_end(buffer, 0).ok_or(ParseError::Truncated)?;
    let mut defect = None;
    let start = start_line(&buffer[..first], &mut defect)?;
    let mut parts = Parts {
        start,
        headers: SmallVec::new(),
        defect,
        headers_at: first + 2,
        body: 0,
        content_length: None,
        bad_content_length: false,
    };
    let mut at = first + 2;
    while !buffer[at..].starts_with(b"\r\n") {
        if at == buffer.len() {
            parts.note(Defect::Header(
                "the empty line after the headers is missing",
            ));
            parts.body = at;
            return Ok(parts);
        }
        let line = logical_line(buffer, at).ok_or(ParseError::Truncated)?;
        match header(buffer, at, &line) {
            Ok(entry) => {
                if entry.id == Some(HeaderName::ContentLength) {
                    content_length(&mut parts, entry.value.of(buffer));
                }
                parts.headers.push(entry);
            }
            Err(problem) => parts.note(Defect::Header(problem)),
        }
        at = line.end + 2;
    }
    parts.body = at + 2;
    Ok(parts)
}

/// Where the CRLF that ends the line starts.
fn line_end(buffer: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr(b'\n', &buffer[at..])?;
        if at > from && buffer[at - 1] == b'\r' {
            return Some(at - 1);
        }
        at += 1;
    }
}

/// A header with its folds.
struct LogicalLine {
    /// Where the CRLF that ends it starts.
    end: usize,
    /// Whether it holds a NUL, or a CR or LF that is not part of a fold.
    has_stray_control: bool,
}

fn logical_line(buffer: &[u8], from: usize) -> Option<LogicalLine> {
    let (mut at, mut has_stray_control) = (from, false);
    loop {
        at += memchr3(b'\r', b'\n', 0, &buffer[at..])?;
        match buffer[at..] {
            [b'\r', b'\n', b' ' | b'\t', ..] => at += 2,
            [b'\r', b'\n', ..] => {
                return Some(LogicalLine {
                    end: at,
                    has_stray_control,
                });
            }
            _ => {
                has_stray_control = true;
                at += 1;
            }
        }
    }
}

/// Reads one header; blanks before the colon are allowed (RFC 3261 section 25.1, HCOLON).
fn header(buffer: &[u8], start: usize, logical: &LogicalLine) -> Result<Entry, &'static str> {
    let end = logical.end;
    let line = &buffer[start..end];
    let name = TOKEN.span(line);
    let colon = match line.get(name) {
        Some(b':') => name,
        _ => memchr(b':', line).ok_or("header line without a colon")?,
    };
    let name = &line[..name];
    if name.is_empty() || !BLANK.all(&line[name.len()..colon]) {
        return Err("header name is not a token");
    }
    if logical.has_stray_control {
        return Err("NUL, or CR or LF alone, inside a header; end lines with both");
    }
    let rest = &line[colon + 1..];
    let value = grammar::trim(rest);
    let value_start = match value.is_empty() {
        true => end,
        false => start + colon + 1 + (value.as_ptr() as usize - rest.as_ptr() as usize),
    };
    Ok(Entry {
        id: HeaderName::parse(name),
        name: Span::new(start..start + name.len()),
        value: Span::new(value_start..value_start + value.len()),
        line: Span::new(start..end + 2),
    })
}

fn start_line(line: &[u8], defect: &mut Option<Defect>) -> Result<StartLine, ParseError> {
    if line.len() > 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        status_line(line, defect)
    } else {
        request_line(line, defect)
    }
}

/// `SIP/2.0 200 OK`
fn status_line(line: &[u8], defect: &mut Option<Defect>) -> Result<StartLine, ParseError> {
    let space = memchr(b' ', line).ok_or(ParseError::NotSip)?;
    note_version(&line[..space], defect);
    let rest = &line[space + 1..];
    let (code, reason) = match memchr(b' ', rest) {
        Some(at) => (&rest[..at], space + 1 + at + 1),
        None => (rest, line.len()),
    };
    let status = std::str::from_utf8(code)
        .ok()
        .filter(|code| code.len() == 3);
    let status = status.and_then(grammar::number).ok_or(ParseError::NotSip)?;
    if !(100..=699).contains(&status) {
        defect.get_or_insert(Defect::StartLine("status code outside 100 to 699"));
    }
    Ok(StartLine::Response {
        status,
        reason: Span::new(reason..line.len()),
    })
}

/// `INVITE sip:bob@example.com SIP/2.0`
fn request_line(line: &[u8], defect: &mut Option<Defect>) -> Result<StartLine, ParseError> {
    let text = line.trim_ascii_end();
    if text.len() != line.len() {
        defect.get_or_insert(Defect::StartLine("blanks after the version"));
    }
    let first = memchr(b' ', text).ok_or(ParseError::NotSip)?;
    let last = memchr::memrchr(b' ', text).ok_or(ParseError::NotSip)?;
    let version = &text[last + 1..];
    if version.len() < 4 || !version[..4].eq_ignore_ascii_case(b"SIP/") {
        return Err(ParseError::NotSip);
    }
    let method = std::str::from_utf8(&text[..first])
        .ok()
        .and_then(Method::parse);
    let method = method.ok_or(ParseError::NotSip)?;
    note_version(version, defect);
    let uri = text.get(first + 1..last).unwrap_or_default();
    if uri.is_empty() {
        defect.get_or_insert(Defect::StartLine("no Request-URI"));
    } else if uri.iter().any(|octet| BLANK.has(*octet)) {
        defect.get_or_insert(Defect::StartLine(
            "blank inside the Request-URI or around it; one space parts the three",
        ));
    }
    Ok(StartLine::Request {
        method,
        uri: Span::new(first + 1..(first + 1).max(last)),
    })
}

fn note_version(version: &[u8], defect: &mut Option<Defect>) {
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        defect.get_or_insert(Defect::Version);
    }
}

fn content_length(parts: &mut Parts, value: &[u8]) {
    let length = std::str::from_utf8(value)
        .ok()
        .and_then(grammar::number::<u32>);
    let problem = match (length, parts.content_length) {
        (None, _) => "Content-Length is not a number below 2^32",
        (Some(length), Some(before)) if before != length as usize => {
            "two Content-Length headers differ"
        }
        (Some(length), _) => {
            parts.content_length = Some(length as usize);
            return;
        }
    };
    parts.bad_content_length = true;
    parts.note(Defect::ContentLength(problem));
}

/// Where the empty line after the headers ends, looking from `from` on.
pub(super) fn head_end(buffer: &[u8], from: usize) -> Option<usize> {
    memmem::find(&buffer[from..], b"\r\n\r\n").map(|at| from + at + 4)
}
