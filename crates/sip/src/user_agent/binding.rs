//! Registration: writes REGISTER, reads what comes back. When, is decided by [`crate::registration`].

use std::time::Duration;

use super::core::{Attempt, Outcome, Owner, Turn, retry_after};
use super::{Config, Event, UserAgent};
use crate::dialog::Sequence;
use crate::message::{Edit, HeaderName, Message, Method, NameAddr, Uri};
use crate::registration::{Action, Event as Happened, Failure};
use crate::trunk;

/// What REGISTER needs to be remembered from one to the next.
#[derive(Debug)]
pub(super) struct Binding {
    /// From generation 0, so that any owner's numbers rise (`takeover.md` section 5.5).
    sequence: Sequence,
    call_id: String,
    from_tag: Option<String>,
    attempt: Option<Attempt>,
    asked: Duration,
    /// Contact that the registrar may still hold and that is to go with the next REGISTER.
    pub(super) previous: Option<Uri>,
    /// The GRUU granted (RFC 5627), if one was asked for.
    pub(super) gruu: Option<Uri>,
}

impl Binding {
    pub(super) fn new(config: &Config) -> Binding {
        let user = config.aor.user().unwrap_or("anonymous").to_owned();
        let key = if config.branch_prefix.is_empty() {
            &user
        } else {
            &config.branch_prefix
        };
        let host = config
            .registrar
            .host()
            .map(ToString::to_string)
            .unwrap_or_default();
        Binding {
            sequence: Sequence::new(0),
            // Constant for handset and trunk.
            call_id: format!("{key}.register@{host}"),
            from_tag: None,
            attempt: None,
            asked: Duration::ZERO,
            previous: None,
            gruu: None,
        }
    }
}

impl UserAgent {
    /// Runs an event through the registration machine and does what it says.
    pub(super) fn registration(&mut self, t: &mut Turn<'_>, event: Happened) {
        for action in self.registration.handle(t.now, t.rng, event) {
            match action {
                Action::Send(expires) => self.send_register(t, expires),
                Action::Registered(expires) => {
                    let contact = self.contact().uri;
                    t.tell(Event::Registered {
                        expires,
                        contact,
                        proxy: self.trunk.current(),
                    });
                }
                Action::Failed(why, retry_in) => {
                    t.tell(Event::RegistrationFailed { why, retry_in })
                }
                Action::Unregistered => {
                    self.binding.gruu = None;
                    t.tell(Event::Unregistered);
                }
            }
        }
    }

    fn send_register(&mut self, t: &mut Turn<'_>, expires: Duration) {
        self.binding.asked = expires;
        let request = self.register_request(t, expires);
        let mut attempt = Attempt::new(request);
        let sent = self.try_next(t, &mut attempt, Owner::Register);
        self.binding.attempt = sent.then_some(attempt);
    }

    fn register_request(&mut self, t: &mut Turn<'_>, expires: Duration) -> Message {
        let tag = self.binding.from_tag.clone().unwrap_or_else(|| self.tag(t));
        self.binding.from_tag = Some(tag.clone());
        let cseq = self.binding.sequence.next(self.config.generation);
        let (from, to) = (
            self.own_address(&tag),
            NameAddr::new(self.config.aor.clone()),
        );
        let mut contact = NameAddr::new(self.config.contact.clone());
        if let Some(instance) = &self.config.instance {
            contact
                .params
                .set_quoted("+sip.instance", &format!("<{instance}>"));
        }
        let gone = self
            .binding
            .previous
            .clone()
            .map(|uri| NameAddr::new(uri).with_param("expires", Some("0")));
        let supported = if self.config.gruu {
            "path, gruu"
        } else {
            "path"
        };
        let ids = (&from, &to, &*self.binding.call_id);
        self.request(Method::Register, &self.config.registrar, ids, cseq)
            .header(HeaderName::Contact, contact)
            .header_opt(HeaderName::Contact, gone)
            .header(HeaderName::Expires, expires.as_secs())
            .header(HeaderName::Allow, super::core::ALLOW)
            .header(HeaderName::Supported, supported)
            .build()
    }

    /// Takes in the outcome of the REGISTER that is out.
    pub(super) fn register_concluded(&mut self, t: &mut Turn<'_>, outcome: Outcome) {
        if outcome.status() < 200 {
            return;
        }
        let Some(mut attempt) = self.binding.attempt.take() else {
            return;
        };
        if let Some(failure) = self.judge_proxy(t, attempt.proxy, &outcome) {
            attempt.last_failure = Some(failure);
            self.next_number(&mut attempt);
            if self.try_next(t, &mut attempt, Owner::Register) {
                self.binding.attempt = Some(attempt);
            } else {
                self.registration(t, all_failed(failure));
            }
            return;
        }
        let Outcome::Response(response) = outcome else {
            return;
        };
        match crate::transaction::code(&response) {
            401 | 407 if self.answer_challenge(t, &mut attempt, &response) => {
                self.next_number(&mut attempt);
                self.send_attempt(t, &mut attempt, Owner::Register);
                self.binding.attempt = Some(attempt);
            }
            status => {
                let event = self.read_answer(status, &response, attempt.challenges);
                self.registration(t, event);
            }
        }
    }

    /// A REGISTER sent again counts as a new one for the registrar (RFC 3261 section 10.2).
    fn next_number(&mut self, attempt: &mut Attempt) {
        let cseq = self.binding.sequence.next(self.config.generation);
        let edit = Edit::new(&attempt.request).set(HeaderName::CSeq, format!("{cseq} REGISTER"));
        attempt.request = edit.build();
    }

    fn read_answer(&mut self, status: u16, response: &Message, challenges: u8) -> Happened {
        let refused = || Failure::Refused {
            status,
            reason: response.reason().into_owned(),
        };
        match status {
            200..=299 => self.granted(response),
            401 | 407 if challenges > 0 => Happened::Failed(Failure::WrongPassword),
            401 | 407 => Happened::Failed(Failure::NoCredentials),
            403 => Happened::Failed(Failure::Forbidden),
            404 | 410 => Happened::Failed(Failure::UnknownUser),
            423 => {
                let min = response.min_expires().ok().flatten();
                Happened::TooBrief(min.map(|s| Duration::from_secs(s.into())))
            }
            _ => match retry_after(response) {
                Some(pause) => Happened::RetryAfter(refused(), pause),
                None => Happened::Failed(refused()),
            },
        }
    }

    /// Reads the time granted to our Contact, and the GRUU. Source: RFC 3261 section 10.2.4, RFC 5627 section 4.2.
    fn granted(&mut self, response: &Message) -> Happened {
        if self.binding.asked.is_zero() {
            return Happened::Granted(Duration::ZERO);
        }
        self.binding.previous = None;
        let contacts = response.contacts().unwrap_or_default();
        let Some(ours) = contacts.iter().find(|c| self.is_ours(c)) else {
            return Happened::Failed(Failure::NotKept);
        };
        let gruu = ours
            .params
            .unquoted("pub-gruu")
            .and_then(|text| text.parse().ok());
        self.binding.gruu = gruu.filter(|_| self.config.gruu);
        let of_contact = ours
            .params
            .get("expires")
            .and_then(|text| text.trim().parse::<u32>().ok());
        let seconds = of_contact.or_else(|| response.expires().ok().flatten());
        let granted = seconds.map_or(self.binding.asked, |s| Duration::from_secs(s.into()));
        Happened::Granted(granted)
    }

    fn is_ours(&self, contact: &NameAddr) -> bool {
        let ours = &self.config.contact;
        let same_key = ours.param("h").is_some() && ours.param("h") == contact.uri.param("h");
        let same_host = ours.host() == contact.uri.host() && ours.port() == contact.uri.port();
        contact.uri == *ours || (same_key && same_host)
    }
}

/// What the registration is told when no proxy is left.
fn all_failed(last: trunk::Failure) -> Happened {
    match last {
        trunk::Failure::Transport => Happened::Failed(Failure::Unreachable),
        trunk::Failure::Timeout => Happened::Failed(Failure::NoAnswer),
        trunk::Failure::Unavailable(None) => Happened::Failed(Failure::Unavailable),
        trunk::Failure::Unavailable(Some(pause)) => {
            Happened::RetryAfter(Failure::Unavailable, pause)
        }
    }
}
