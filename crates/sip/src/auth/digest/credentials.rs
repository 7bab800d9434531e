//! The headers: challenges of a server, credentials of a client.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::Algorithm;
use crate::message::SyntaxError;
use crate::message::grammar::{self, quote};

/// What a response protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qop {
    /// Method and URI.
    Auth,
    /// The body too.
    AuthInt,
}

impl Qop {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    fn parse(text: &str) -> Option<Qop> {
        [Qop::Auth, Qop::AuthInt]
            .into_iter()
            .find(|qop| qop.as_str().eq_ignore_ascii_case(text))
    }
}

/// Value of a WWW-Authenticate or Proxy-Authenticate header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Whose passwords count.
    pub realm: String,
    /// Nonce of the server.
    pub nonce: String,
    /// Text to be sent back as it came.
    pub opaque: Option<String>,
    /// The hash to use.
    pub algorithm: Algorithm,
    /// Protections offered; empty from a server that speaks RFC 2069 only.
    pub qop: Vec<Qop>,
    /// Only the nonce was too old, name and password were right.
    pub stale: bool,
}

impl Challenge {
    /// The protection to use: `auth` where offered.
    pub fn best_qop(&self) -> Option<Qop> {
        self.qop.iter().min().copied()
    }
}

impl FromStr for Challenge {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Challenge, SyntaxError> {
        let (mut realm, mut nonce, mut opaque, mut stale) = (None, None, None, false);
        let (mut algorithm, mut qop, mut has_qop) = (Some(Algorithm::Md5), Vec::new(), false);
        for (name, value) in parameters(text)? {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.into_owned()),
                "nonce" => nonce = Some(value.into_owned()),
                "opaque" => opaque = Some(value.into_owned()),
                "stale" => stale = value.eq_ignore_ascii_case("true"),
                "algorithm" => algorithm = Algorithm::parse(&value),
                "qop" => {
                    has_qop = true;
                    qop = value
                        .split(',')
                        .filter_map(|one| Qop::parse(grammar::trim_str(one)))
                        .collect();
                }
                _ => {}
            }
        }
        if has_qop && qop.is_empty() {
            return Err(SyntaxError(
                "digest challenge with no qop known here; auth is",
            ));
        }
        Ok(Challenge {
            realm: realm.ok_or(SyntaxError("digest challenge without realm"))?,
            nonce: nonce.ok_or(SyntaxError("digest challenge without nonce"))?,
            opaque,
            algorithm: algorithm.ok_or(SyntaxError(
                "digest challenge with an algorithm not known here",
            ))?,
            qop,
            stale,
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Digest realm={}, nonce={}",
            quote(&self.realm),
            quote(&self.nonce)
        )?;
        write!(f, ", algorithm={}", self.algorithm)?;
        if !self.qop.is_empty() {
            let all: Vec<&str> = self.qop.iter().map(|qop| qop.as_str()).collect();
            write!(f, ", qop=\"{}\"", all.join(","))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        f.write_str(if self.stale { ", stale=true" } else { "" })
    }
}

/// Value of an Authorization or Proxy-Authorization header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Realm of the challenge.
    pub realm: String,
    /// Nonce of the challenge.
    pub nonce: String,
    /// The Request-URI as the client wrote it.
    pub uri: String,
    /// The hash over it all, in hexadecimal.
    pub response: String,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Opaque of the challenge.
    pub opaque: Option<String>,
    /// Protection, nonce count and nonce of the client.
    pub qop: Option<(Qop, u32, String)>,
}

impl FromStr for Credentials {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Credentials, SyntaxError> {
        let all = parameters(text)?;
        let find = |wanted: &str| {
            let found = all
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_ref())
        };
        let need =
            |wanted: &str, problem| find(wanted).map(str::to_owned).ok_or(SyntaxError(problem));
        let algorithm = find("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse);
        Ok(Credentials {
            username: need("username", "digest credentials without username")?,
            realm: need("realm", "digest credentials without realm")?,
            nonce: need("nonce", "digest credentials without nonce")?,
            uri: need("uri", "digest credentials without uri")?,
            response: need("response", "digest credentials without response")?,
            algorithm: algorithm.ok_or(SyntaxError(
                "digest credentials with an algorithm not known here",
            ))?,
            opaque: find("opaque").map(str::to_owned),
            qop: read_qop(find("qop"), find("nc"), find("cnonce"))?,
        })
    }
}

fn read_qop(
    qop: Option<&str>,
    nc: Option<&str>,
    cnonce: Option<&str>,
) -> Result<Option<(Qop, u32, String)>, SyntaxError> {
    let Some(qop) = qop else { return Ok(None) };
    let qop = Qop::parse(qop).ok_or(SyntaxError("digest credentials with a qop not known here"))?;
    let digits = nc.filter(|nc| nc.len() == 8 && nc.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let count = digits.and_then(|nc| u32::from_str_radix(nc, 16).ok());
    let count = count.ok_or(SyntaxError(
        "digest credentials with qop need nc, eight hexadecimal digits",
    ))?;
    let cnonce = cnonce.ok_or(SyntaxError("digest credentials with qop need cnonce"))?;
    Ok(Some((qop, count, cnonce.to_owned())))
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Digest username={}, realm={}",
            quote(&self.username),
            quote(&self.realm)
        )?;
        write!(
            f,
            ", nonce={}, uri={}",
            quote(&self.nonce),
            quote(&self.uri)
        )?;
        write!(
            f,
            ", response={}, algorithm={}",
            quote(&self.response),
            self.algorithm
        )?;
        if let Some((qop, count, cnonce)) = &self.qop {
            // RFC 3261 section 25.1: qop and nc stand here without quotes.
            write!(
                f,
                ", qop={}, nc={count:08x}, cnonce={}",
                qop.as_str(),
                quote(cnonce)
            )?;
        }
        match &self.opaque {
            Some(opaque) => write!(f, ", opaque={}", quote(opaque)),
            None => Ok(()),
        }
    }
}

/// Names and unquoted values behind the word `Digest`.
fn parameters(text: &str) -> Result<Vec<(&str, Cow<'_, str>)>, SyntaxError> {
    let text = grammar::trim_str(text);
    let (scheme, rest) = text
        .split_once([' ', '\t'])
        .ok_or(SyntaxError("no parameters after the scheme"))?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Err(SyntaxError("scheme is not Digest"));
    }
    elements(rest)
        .map(|element| {
            let (name, value) = element
                .split_once('=')
                .ok_or(SyntaxError("digest parameter without '='"))?;
            let value = grammar::trim_str(value);
            if value.starts_with('"') && grammar::quoted_len(value) != Some(value.len()) {
                return Err(SyntaxError(
                    "quoted digest parameter does not end where it should",
                ));
            }
            Ok((grammar::trim_str(name), grammar::unquote(value)))
        })
        .collect()
}

/// Text between the commas outside quotes, empty pieces left out.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let comma = grammar::find_unquoted(text.as_bytes(), b',');
        let (piece, after) = comma.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
        rest = after;
        Some(grammar::trim_str(piece))
    })
    .filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_any_order_and_case() {
        let text = r#"digest QOP="auth-int, auth" ,Realm="a, \"b\"", stale=TRUE,nonce="n=",algorithm=sha-256,opaque="",x=y"#;
        let challenge: Challenge = text.parse().unwrap();
        assert_eq!(
            challenge,
            Challenge {
                realm: "a, \"b\"".into(),
                nonce: "n=".into(),
                opaque: Some(String::new()),
                algorithm: Algorithm::Sha256,
                qop: vec![Qop::AuthInt, Qop::Auth],
                stale: true,
            }
        );
        assert_eq!(challenge.best_qop(), Some(Qop::Auth));
        assert_eq!(challenge.to_string().parse(), Ok(challenge));
    }

    #[test]
    fn credentials_survive_writing_and_reading() {
        let credentials = Credentials {
            username: "bob \\ \"x\"".into(),
            realm: "r".into(),
            nonce: "n".into(),
            uri: "sip:a,b@c".into(),
            response: "00ff".into(),
            algorithm: Algorithm::Md5,
            opaque: Some("o".into()),
            qop: Some((Qop::Auth, 0x1a, "c".into())),
        };
        let text = credentials.to_string();
        assert!(
            text.contains("qop=auth, nc=0000001a, cnonce=\"c\""),
            "{text}"
        );
        assert_eq!(text.parse(), Ok(credentials));
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        for bad in [
            "Basic realm=\"x\"",
            "Digest",
            "Digest realm=\"x\"",
            "Digest realm=\"x\", nonce=\"open",
            "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"n\", qop=\"other\"",
        ] {
            assert!(bad.parse::<Challenge>().is_err(), "{bad}");
        }
        let nc = "Digest username=a,realm=b,nonce=c,uri=d,response=e,qop=auth,cnonce=f,nc=1";
        assert!(nc.parse::<Credentials>().is_err());
    }
}
