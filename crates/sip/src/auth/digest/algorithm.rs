//! The hash functions and how a response is made with them.

use std::fmt;

use md5::{Digest, Md5};
use sha2::Sha256;

use super::{Password, Qop};

/// Hash of a digest challenge, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// MD5, also where a challenge names none.
    Md5,
    /// MD5 over a key of this session.
    Md5Sess,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-256 over a key of this session.
    Sha256Sess,
}

impl Algorithm {
    /// Reads a name, in any case; `None` if it is not spoken here.
    pub fn parse(name: &str) -> Option<Algorithm> {
        use Algorithm::{Md5, Md5Sess, Sha256, Sha256Sess};
        [Md5, Md5Sess, Sha256, Sha256Sess]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// The name as RFC 7616 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Md5Sess => "MD5-sess",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha256Sess => "SHA-256-sess",
        }
    }

    fn is_session(self) -> bool {
        matches!(self, Algorithm::Md5Sess | Algorithm::Sha256Sess)
    }

    /// The hash of the parts joined by colons, in lower-case hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            Algorithm::Md5 | Algorithm::Md5Sess => hex::encode(Md5::digest(text)),
            Algorithm::Sha256 | Algorithm::Sha256Sess => hex::encode(Sha256::digest(text)),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything a response is made of but the password. Source: RFC 7616 section 3.4.
#[derive(Debug, Clone, Copy)]
pub struct Digested<'a> {
    /// The hash.
    pub algorithm: Algorithm,
    /// User name.
    pub username: &'a str,
    /// Realm of the challenge.
    pub realm: &'a str,
    /// Nonce of the challenge.
    pub nonce: &'a str,
    /// Method of the request.
    pub method: &'a str,
    /// The digest URI: the Request-URI as written.
    pub uri: &'a str,
    /// Protection, count of this nonce and nonce of the client; `None` as in RFC 2069.
    pub qop: Option<(Qop, u32, &'a str)>,
    /// Body of the request, for `auth-int`.
    pub body: &'a [u8],
}

impl Digested<'_> {
    /// The response, in lower-case hexadecimal.
    pub fn response(&self, password: &Password) -> String {
        let hash = |parts: &[&str]| {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            self.algorithm.hash(&parts)
        };
        let mut key = hash(&[self.username, self.realm, password.expose()]);
        if self.algorithm.is_session() {
            let cnonce = self.qop.map_or("", |(_, _, cnonce)| cnonce);
            key = hash(&[&key, self.nonce, cnonce]);
        }
        let request = match self.qop {
            Some((Qop::AuthInt, ..)) => {
                hash(&[self.method, self.uri, &self.algorithm.hash(&[self.body])])
            }
            _ => hash(&[self.method, self.uri]),
        };
        match self.qop {
            Some((qop, count, cnonce)) => {
                let count = format!("{count:08x}");
                hash(&[&key, self.nonce, &count, cnonce, qop.as_str(), &request])
            }
            None => hash(&[&key, self.nonce, &request]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7616 section 3.9.1.
    fn rfc7616(algorithm: Algorithm) -> String {
        let digested = Digested {
            algorithm,
            username: "Mufasa",
            realm: "http-auth@example.org",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method: "GET",
            uri: "/dir/index.html",
            qop: Some((Qop::Auth, 1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
            body: b"",
        };
        digested.response(&Password::new("Circle of Life"))
    }

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        assert_eq!(rfc7616(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        let sha256 = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(rfc7616(Algorithm::Sha256), sha256);
    }

    #[test]
    fn the_example_of_rfc_2617_comes_out_and_its_rfc_2069_form() {
        let mut digested = Digested {
            algorithm: Algorithm::Md5,
            username: "Mufasa",
            realm: "testrealm@host.com",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            method: "GET",
            uri: "/dir/index.html",
            qop: Some((Qop::Auth, 1, "0a4f113b")),
            body: b"",
        };
        let password = Password::new("Circle Of Life");
        assert_eq!(
            digested.response(&password),
            "6629fae49393a05397450978507c4ef1"
        );
        digested.qop = None;
        assert_eq!(
            digested.response(&password),
            "670fd8c2df070c60b045671b8b24ff02"
        );
    }

    #[test]
    fn every_ingredient_changes_the_response() {
        let base = Digested {
            algorithm: Algorithm::Md5Sess,
            username: "u",
            realm: "r",
            nonce: "n",
            method: "INVITE",
            uri: "sip:a@b",
            qop: Some((Qop::AuthInt, 1, "c")),
            body: b"v=0",
        };
        let password = Password::new("p");
        let mut all = vec![
            base.response(&password),
            base.response(&Password::new("q")),
            Digested {
                body: b"v=1",
                ..base
            }
            .response(&password),
            Digested {
                algorithm: Algorithm::Md5,
                ..base
            }
            .response(&password),
            Digested {
                algorithm: Algorithm::Sha256Sess,
                ..base
            }
            .response(&password),
            Digested {
                qop: Some((Qop::Auth, 1, "c")),
                ..base
            }
            .response(&password),
            Digested {
                qop: Some((Qop::AuthInt, 2, "c")),
                ..base
            }
            .response(&password),
            Digested {
                method: "BYE",
                ..base
            }
            .response(&password),
        ];
        let before = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), before);
    }
}
