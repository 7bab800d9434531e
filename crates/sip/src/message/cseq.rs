//! CSeq and RAck.

use std::fmt;
use std::str::FromStr;

use super::error::SyntaxError;
use super::grammar;
use super::method::Method;

/// Number and method of a request (RFC 3261 section 20.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// Number, below 2^32 (senders stay below 2^31, section 8.1.1.5).
    pub number: u32,
    /// Method of the request, also in its responses.
    pub method: Method,
}

impl FromStr for CSeq {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<CSeq, SyntaxError> {
        let mut words = text.split_ascii_whitespace();
        let number = words.next().and_then(grammar::number);
        let method = words.next().and_then(Method::parse);
        match (number, method, words.next()) {
            (Some(number), Some(method), None) => Ok(CSeq { number, method }),
            (None, ..) => Err(SyntaxError("sequence number is not a number below 2^32")),
            _ => Err(SyntaxError("no method after the sequence number")),
        }
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// Which provisional response a PRACK confirms (RFC 3262 section 7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    /// RSeq of the response.
    pub rseq: u32,
    /// CSeq of the response.
    pub cseq: CSeq,
}

impl FromStr for RAck {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<RAck, SyntaxError> {
        let text = grammar::trim_str(text);
        let (rseq, cseq) = text
            .split_once([' ', '\t'])
            .ok_or(SyntaxError("no CSeq after the RSeq number"))?;
        let rseq = grammar::number(rseq).ok_or(SyntaxError("RSeq is not a number below 2^32"))?;
        Ok(RAck {
            rseq,
            cseq: cseq.parse()?,
        })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}
