//! The SIP side: the user agent of the handset's user, what it is told and what it tells.

use ipdect_sip::message::{Host, Uri};
use ipdect_sip::registration::Failure;
use ipdect_sip::transaction::{Flow, Transport};
use ipdect_sip::user_agent::{Config, Event, Extra, Output, UserAgent};

use crate::action::Action;
use crate::notice::Notice;
use crate::profile::{Profile, User};
use crate::state::State;
use crate::status::Registration;
use crate::turn::Turn;

/// The user agent of the profile's user; `None` without user, or if its address is none.
pub(crate) fn user_agent(profile: &Profile) -> Option<UserAgent> {
    config(profile).map(UserAgent::new)
}

/// Settings of the user agent.
fn config(profile: &Profile) -> Option<Config> {
    let user = profile.user.as_ref()?;
    let settings = &profile.settings;
    let host = Host::parse(domain(profile, user)).ok()?;
    let sent_by = settings.sent_by.of(settings.sip.transport);
    let contact: Uri = format!("sip:{sent_by}").parse().ok()?;
    let contact = match settings.sip.transport {
        Transport::Udp => contact,
        other => contact.with_param("transport", Some(&other.via_name().to_ascii_lowercase())),
    };
    let registrar = Uri::sip(None, host.clone(), None);
    let base = Config::new(
        Uri::sip(Some(&user.number), host, None),
        contact
            .with_user(Some(&user.number))
            .with_param("h", Some(&profile.handset.key)),
        registrar,
        &settings.sent_by.udp,
        settings.proxies.clone(),
    );
    Some(Config {
        display_name: user.display_name.clone(),
        auth_user: user.auth_user.clone(),
        auth_password: user.auth_password.0.clone(),
        expires: settings.sip.registration_expires,
        max_forwards: settings.sip.max_forwards,
        timers: settings.sip.timers,
        use_sips: settings.sip.use_sips,
        gruu: settings.sip.gruu,
        all_to_proxy: settings.sip.send_all_to_registrar,
        transport: settings.sip.transport,
        sent_by: settings.sent_by.clone(),
        user_agent: "ipdect".into(),
        generation: u64::from(profile.generation),
        branch_prefix: profile.handset.key.clone(),
        ..base
    })
}

/// The user's own domain, else that of the SIP page.
pub(crate) fn domain<'a>(profile: &'a Profile, user: &'a User) -> &'a str {
    match user.domain.is_empty() {
        true => &profile.settings.sip.default_domain,
        false => &user.domain,
    }
}

impl State {
    /// Lets the user agent work, and does what it asks for, in order.
    pub(crate) fn with_ua(
        &mut self,
        t: &mut Turn<'_>,
        work: impl FnOnce(&mut UserAgent, &mut Turn<'_>) -> Vec<Output>,
    ) {
        let Some(ua) = self.ua.as_mut() else { return };
        for output in work(ua, t) {
            match output {
                Output::Send(transmit) => self.outbox.push(Action::Sip(Box::new(transmit))),
                Output::Event(event) => self.sip_event(t, event),
            }
        }
    }

    fn sip_event(&mut self, t: &mut Turn<'_>, event: Event) {
        match event {
            Event::Registered { contact, .. } => self.registered(t, contact),
            Event::RegistrationFailed { why, .. } => self.registration_failed(&why),
            Event::Unregistered => self.registration = Registration::None,
            Event::Incoming {
                call,
                from,
                display,
                offer,
                alert_info,
                ..
            } => {
                self.incoming(t, call, &from, display, offer, alert_info.as_deref());
            }
            Event::Progress {
                call,
                status,
                to_tag,
                sdp,
            } => self.progress(t, call, status, to_tag.as_deref(), sdp),
            Event::Answered { call, sdp } => self.answered(t, call, sdp),
            Event::Refused {
                call,
                status,
                reason,
                ..
            } => self.refused(t, call, status, &reason),
            Event::Cancelled {
                call,
                completed_elsewhere,
            } => self.cancelled(t, call, completed_elsewhere),
            Event::Acked { call, sdp } => self.acked(t, call, sdp),
            Event::AckTimeout { call } => {
                self.broken(t, call, "the peer did not acknowledge our answer")
            }
            Event::SessionExpired { call } => {
                self.broken(t, call, "the peer did not refresh the session")
            }
            Event::Reoffered { call, sdp } => self.reoffered(t, call, sdp),
            Event::ReofferAnswered { call, sdp } => self.reoffer_answered(t, call, sdp),
            Event::ReofferRefused { call, status } => self.reoffer_refused(t, call, status),
            Event::Ended { call, by, reason } => self.peer_ended(t, call, by, reason),
            Event::OptionsAnswered { .. } => {}
        }
    }

    fn registered(&mut self, t: &Turn<'_>, contact: Uri) {
        self.registered_over = t.flow;
        let contact = contact.to_string();
        if self.registration != Registration::Registered {
            self.registration = Registration::Registered;
            let aor = self.aor();
            self.tell(Notice::Registered { aor });
        }
        if self.row.contact.as_ref() != Some(&contact) {
            self.row.contact = Some(contact);
            self.save_presence();
        }
    }

    /// A connection broke: what was registered over it is registered anew, over another (RFC 5626 section 4.2).
    pub(crate) fn flow_lost(&mut self, t: &mut Turn<'_>, flow: Flow) {
        if flow.transport.is_reliable()
            && self.registered_over.take_if(|over| *over == flow).is_some()
        {
            self.register(t);
        }
    }

    fn registration_failed(&mut self, why: &Failure) {
        let status = status_of(why);
        let failed = Registration::Failed {
            status,
            reason: why.to_string(),
        };
        if self.registration != failed {
            self.registration = failed;
            let (aor, reason) = (self.aor(), why.to_string());
            self.tell(Notice::RegistrationFailed {
                aor,
                status,
                reason,
            });
        }
    }

    /// Registers the user: the handset is there.
    pub(crate) fn register(&mut self, t: &mut Turn<'_>) {
        if self.registration != Registration::Registered {
            self.registration = Registration::Pending;
        }
        self.with_ua(t, |ua, t| ua.register(t.now, t.rng));
    }

    /// Ends the registration: the handset is gone.
    pub(crate) fn unregister(&mut self, t: &mut Turn<'_>) {
        self.registration = Registration::None;
        self.row.contact = None;
        self.with_ua(t, |ua, t| ua.unregister(t.now, t.rng));
    }

    /// Takes a new profile. Calls go on; what the registrar was told is told anew if it changed.
    pub(crate) fn configured(&mut self, t: &mut Turn<'_>, profile: Profile) {
        let config = config(&profile);
        self.mobility.open = profile.settings.system.subscription_open;
        let stored = std::mem::replace(&mut self.profile, profile).handset;
        if self.mobility.is_storing() {
            // The row just read is older than the one on its way.
            self.profile.handset = stored;
        }
        match (config, self.ua.is_some()) {
            (Some(config), true) => self.with_ua(t, |ua, t| ua.configure(t.now, t.rng, config)),
            (Some(config), false) => self.ua = Some(UserAgent::new(config)),
            (None, true) => {
                self.hang_up(t, "the user was removed");
                self.unregister(t);
            }
            (None, false) => {}
        }
    }

    /// The address of record, for people.
    pub(crate) fn aor(&self) -> String {
        self.ua
            .as_ref()
            .map(|ua| ua.config().aor.to_string())
            .unwrap_or_default()
    }
}

/// Status that a registration failed with, if there was an answer.
fn status_of(why: &Failure) -> Option<u16> {
    match why {
        Failure::Refused { status, .. } => Some(*status),
        Failure::WrongPassword | Failure::NoCredentials => Some(401),
        Failure::Forbidden => Some(403),
        Failure::UnknownUser => Some(404),
        Failure::Interval => Some(423),
        Failure::Unavailable => Some(503),
        _ => None,
    }
}

/// `Warning` for a call that admission control refused: 480, never 503 (`contracts.md` section 10).
pub(crate) fn no_bandwidth(host: &str) -> Extra {
    (
        "Warning".into(),
        format!("370 {host} \"Insufficient bandwidth\""),
    )
}
