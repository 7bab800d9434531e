//! Changing a message on its way; what is not touched stays octet for octet.

use std::fmt::Display;

use super::Message;
use super::builder::{finish, line_value, write_line};
use super::grammar;
use super::header_name::{HeaderName, Name};
use super::uri::Uri;

/// A header line of the message being changed.
enum Line {
    /// As it came: index of its entry.
    Kept(usize),
    /// Ours.
    New {
        name: Box<str>,
        known: Option<HeaderName>,
        value: Vec<u8>,
    },
}

/// Changes the headers of a message, for a proxy or an element that answers with the same headers.
///
/// Content-Length is written anew; everything else that is not changed keeps its octets and its place.
pub struct Edit<'a> {
    message: &'a Message,
    start: Option<String>,
    lines: Vec<Line>,
    body: Option<bytes::Bytes>,
}

impl<'a> Edit<'a> {
    /// Starts with the message unchanged.
    pub fn new(message: &'a Message) -> Edit<'a> {
        let entries = message.parts.headers.iter().enumerate();
        let lines = entries
            .filter(|(_, entry)| entry.id != Some(HeaderName::ContentLength))
            .map(|(at, _)| Line::Kept(at))
            .collect();
        Edit {
            message,
            start: None,
            lines,
            body: None,
        }
    }

    /// Replaces the Request-URI; nothing happens to a response.
    #[must_use]
    pub fn request_uri(mut self, uri: &Uri) -> Edit<'a> {
        if let Some(method) = self.message.method() {
            let uri = uri.clone().without_headers();
            self.start = Some(format!("{method} {uri} SIP/2.0"));
        }
        self
    }

    /// Puts a header before all others of its name, or first of all if there is none: Via, Route, Record-Route.
    #[must_use]
    pub fn push_top<'n>(mut self, name: impl Into<Name<'n>>, value: impl Display) -> Edit<'a> {
        let name = name.into();
        let at = self
            .lines
            .iter()
            .position(|line| self.is(line, name))
            .unwrap_or(0);
        self.lines.insert(at, new_line(name, value));
        self
    }

    /// Adds a header after all others.
    #[must_use]
    pub fn push<'n>(mut self, name: impl Into<Name<'n>>, value: impl Display) -> Edit<'a> {
        self.lines.push(new_line(name.into(), value));
        self
    }

    /// Takes the first element of a list header away: the top Via of a response, the Route that is ours.
    #[must_use]
    pub fn pop_top<'n>(mut self, name: impl Into<Name<'n>>) -> Edit<'a> {
        let name = name.into();
        let Some(at) = self.lines.iter().position(|line| self.is(line, name)) else {
            return self;
        };
        let raw = self.raw(&self.lines[at]).to_vec();
        match grammar::find_bare(&raw, b',') {
            Some(comma) if !grammar::trim(&raw[comma + 1..]).is_empty() => {
                self.lines[at] = raw_line(name, grammar::trim(&raw[comma + 1..]).to_vec());
            }
            _ => {
                self.lines.remove(at);
            }
        }
        self
    }

    /// Replaces the first element of a list header: the top Via once `received` is known.
    #[must_use]
    pub fn replace_top<'n>(self, name: impl Into<Name<'n>>, value: impl Display) -> Edit<'a> {
        let name = name.into();
        self.pop_top(name).push_top(name, value)
    }

    /// Replaces all headers of a name by one, in the place of the first; adds it at the end if there is none.
    #[must_use]
    pub fn set<'n>(mut self, name: impl Into<Name<'n>>, value: impl Display) -> Edit<'a> {
        let name = name.into();
        let at = self.lines.iter().position(|line| self.is(line, name));
        self = self.remove(name);
        let at = at.unwrap_or(self.lines.len());
        self.lines.insert(at, new_line(name, value));
        self
    }

    /// Takes all headers of a name away.
    #[must_use]
    pub fn remove<'n>(mut self, name: impl Into<Name<'n>>) -> Edit<'a> {
        let name = name.into();
        let lines = std::mem::take(&mut self.lines);
        self.lines = lines
            .into_iter()
            .filter(|line| !self.is(line, name))
            .collect();
        self
    }

    /// Counts Max-Forwards down by one; writes 70 where it is missing (RFC 3261 section 16.6 step 3).
    ///
    /// A value of 0 stays 0: the caller refuses such a request with 483 before it forwards.
    #[must_use]
    pub fn decrement_max_forwards(self) -> Edit<'a> {
        let left = match self.message.max_forwards() {
            Ok(Some(hops)) => hops.saturating_sub(1),
            _ => 70,
        };
        self.set(HeaderName::MaxForwards, left)
    }

    /// Replaces body and Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<bytes::Bytes>) -> Edit<'a> {
        self.body = Some(body.into());
        self.set(HeaderName::ContentType, content_type)
    }

    /// The changed message.
    pub fn build(self) -> Message {
        let bytes = &self.message.bytes;
        let mut head = Vec::with_capacity(bytes.len() + 256);
        match &self.start {
            Some(start) => {
                head.extend_from_slice(start.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
            None => head.extend_from_slice(self.message.start_line()),
        }
        for line in &self.lines {
            match line {
                Line::Kept(at) => {
                    head.extend_from_slice(self.message.parts.headers[*at].line.of(bytes))
                }
                Line::New { name, value, .. } => write_line(&mut head, name, value),
            }
        }
        finish(head, self.body.as_deref().unwrap_or(self.message.body()))
    }

    fn is(&self, line: &Line, name: Name<'_>) -> bool {
        match (line, name) {
            (Line::Kept(at), name) => self
                .message
                .has_name(&self.message.parts.headers[*at], name),
            (Line::New { known, .. }, Name::Known(name)) => *known == Some(name),
            (Line::New { name: text, .. }, Name::Other(name)) => text.eq_ignore_ascii_case(name),
        }
    }

    fn raw<'b>(&'b self, line: &'b Line) -> &'b [u8] {
        match line {
            Line::Kept(at) => self.message.parts.headers[*at]
                .value
                .of(&self.message.bytes),
            Line::New { value, .. } => value,
        }
    }
}

fn new_line(name: Name<'_>, value: impl Display) -> Line {
    raw_line(name, line_value(&value.to_string()).into_bytes())
}

fn raw_line(name: Name<'_>, value: Vec<u8>) -> Line {
    let known = match name {
        Name::Known(known) => Some(known),
        Name::Other(_) => None,
    };
    Line::New {
        name: name.as_str().into(),
        known,
        value,
    }
}
