//! What becomes of a request: answered, challenged, refused, or forwarded. Source: RFC 3261 sections 10.3 and 16.3 to 16.6.

use super::fork::{Branch, Fork, TIMER_C};
use super::route::{loop_mark, seal, unseal};
use super::{Domain, Output, Turn, registrar};
use crate::auth::digest::Verdict;
use crate::message::{Builder, Edit, HeaderName, MAGIC_COOKIE, Message, Method, StatusCode, Uri};
use crate::transaction::{Flow, Hop, TransactionKey, Transport, note_source};

/// Methods the domain itself takes.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE, PRACK, INFO, MESSAGE, REFER, NOTIFY, SUBSCRIBE";
/// Branches a request may still be divided into when it does not say (RFC 5393 section 5.3.3).
const MAX_BREADTH: u32 = 60;

/// One place to forward a request to.
struct Target {
    uri: Uri,
    hop: Hop,
}

impl Domain {
    pub(super) fn received(&mut self, t: &mut Turn<'_>, message: &Message, flow: Flow) {
        if message.is_response() {
            match self.table.receive_response(t.now, message.clone()) {
                Some(effects) => self.run(t, effects),
                None => tracing::debug!("response without transaction"),
            }
            return;
        }
        let request = note_source(message, flow);
        let Some(key) = TransactionKey::server(&request) else {
            return;
        };
        if let Some(effects) = self.table.receive_request(t.now, &key, request.clone()) {
            return self.run(t, effects);
        }
        match request.method() {
            Some(Method::Ack) => self.forward_ack(t, request, flow),
            Some(Method::Cancel) => self.cancelled(t, key, &request, flow),
            _ => self.requested(t, key, request, flow),
        }
    }

    fn requested(&mut self, t: &mut Turn<'_>, key: TransactionKey, request: Message, flow: Flow) {
        self.table.start_server(key.clone(), &request, flow);
        if request.method() == Some(&Method::Invite) {
            self.answer(t, &key, &request, 100, &[]);
        }
        if let Err((status, extra)) = self.handle(t, &key, &request, flow) {
            self.answer(t, &key, &request, status, &extra);
        }
    }

    /// Does what a request asks for, or says with which status it is answered at once.
    fn handle(
        &mut self,
        t: &mut Turn<'_>,
        key: &TransactionKey,
        request: &Message,
        flow: Flow,
    ) -> Result<(), (u16, Vec<(HeaderName, String)>)> {
        let plain = |status: u16| (status, vec![]);
        let uri = request.request_uri().map_err(|_| plain(400))?;
        let to_us = self.is_local(&uri) && uri.user().is_none();
        if request.method() == Some(&Method::Register) && self.is_local(&uri) {
            return self.register(t, key, request, flow);
        }
        if request.method() == Some(&Method::Options) && to_us {
            return Err((
                200,
                vec![
                    (HeaderName::Allow, ALLOW.into()),
                    (HeaderName::Accept, "application/sdp".into()),
                ],
            ));
        }
        if request.max_forwards().map_err(|_| plain(400))? == Some(0) {
            return Err(plain(483));
        }
        let required: Vec<_> = request
            .headers(HeaderName::ProxyRequire)
            .map(|v| v.text().into_owned())
            .collect();
        if !required.is_empty() {
            return Err((420, vec![(HeaderName::Unsupported, required.join(", "))]));
        }
        if self.has_looped(request) {
            return Err(plain(482));
        }
        let inside = request.to().is_ok_and(|to| to.tag().is_some());
        if !inside {
            self.authenticate(t, request)?;
        }
        let (request, targets) = self.targets(t, request, flow, inside).map_err(plain)?;
        self.fork(t, key, request, &targets, flow).map_err(plain)
    }

    /// Challenges requests that open something: only our users may, under their own name.
    fn authenticate(
        &mut self,
        t: &mut Turn<'_>,
        request: &Message,
    ) -> Result<(), (u16, Vec<(HeaderName, String)>)> {
        let from = request.from().map_err(|_| (400, vec![]))?.uri;
        if !self.is_local(&from) {
            return Err((403, vec![]));
        }
        let user = from.user_unescaped().unwrap_or_default();
        self.prove(
            t,
            request,
            &user,
            (
                HeaderName::ProxyAuthorization,
                HeaderName::ProxyAuthenticate,
                407,
            ),
        )
    }

    /// Checks that a request carries the password of a user; the same challenge for users who do not exist.
    fn prove(
        &mut self,
        t: &mut Turn<'_>,
        request: &Message,
        user: &str,
        (answered, asked, status): (HeaderName, HeaderName, u16),
    ) -> Result<(), (u16, Vec<(HeaderName, String)>)> {
        let subscriber = t.users.find(user);
        let password = |name: &str| {
            subscriber
                .filter(|s| s.auth_user == name)
                .map(|s| s.password)
        };
        match self.digest.verify(t.wall, request, answered, password) {
            Verdict::Accepted { .. } => Ok(()),
            Verdict::Malformed(_) => Err((400, vec![])),
            Verdict::Challenge { stale } => {
                let challenges = self.digest.challenges(t.wall, stale, t.rng);
                Err((
                    status,
                    challenges.iter().map(|c| (asked, c.to_string())).collect(),
                ))
            }
        }
    }

    fn register(
        &mut self,
        t: &mut Turn<'_>,
        key: &TransactionKey,
        request: &Message,
        flow: Flow,
    ) -> Result<(), (u16, Vec<(HeaderName, String)>)> {
        let to = request.to().map_err(|_| (400, vec![]))?.uri;
        if !self.is_local(&to) {
            return Err((403, vec![]));
        }
        let user = to.user_unescaped().unwrap_or_default();
        self.prove(
            t,
            request,
            &user,
            (HeaderName::Authorization, HeaderName::WwwAuthenticate, 401),
        )?;
        let (aor, wall_ms) = (self.aor(&user), t.wall_ms());
        let changed = registrar::register(&mut self.location, &aor, request, flow, wall_ms)
            .map_err(|refusal| {
                let min = (refusal.status() == 423)
                    .then(|| (HeaderName::MinExpires, registrar::MIN_EXPIRES.to_string()));
                (refusal.status(), min.into_iter().collect())
            })?;
        if changed {
            t.out.push(Output::BindingsChanged(aor.clone()));
        }
        let contacts = registrar::contact_list(&self.location, &aor, wall_ms);
        let extra: Vec<_> = contacts
            .iter()
            .map(|c| (HeaderName::Contact, c.to_string()))
            .collect();
        self.answer(t, key, request, 200, &extra);
        Ok(())
    }

    /// Finds where a request goes, with our routes taken off it. Source: RFC 3261 sections 16.4 and 16.5.
    fn targets(
        &self,
        t: &Turn<'_>,
        request: &Message,
        flow: Flow,
        inside: bool,
    ) -> Result<(Message, Vec<Target>), u16> {
        let (request, token) = self.without_our_routes(request);
        let uri = request.request_uri().map_err(|_| 400_u16)?;
        if let Some(next) = request.routes().map_err(|_| 400_u16)?.first() {
            // Only a route that we wrote earlier, or an authenticated user, leads elsewhere.
            let known = token.is_some() || self.is_local(&next.uri);
            let hop = Hop::Uri(next.uri.clone());
            return if known {
                Ok((request, vec![Target { uri, hop }]))
            } else {
                Err(403)
            };
        }
        if let Some((caller, callee)) = token {
            let other = if same_peer(flow, caller) {
                callee
            } else {
                Some(caller)
            };
            let stranger =
                callee.is_some_and(|callee| !same_peer(flow, caller) && !same_peer(flow, callee));
            let by_contact = self.flow_of_contact(t, &uri);
            let back = if stranger {
                by_contact.or(other)
            } else {
                other.or(by_contact)
            };
            let hop = back.map_or_else(|| Hop::Uri(uri.clone()), Hop::Flow);
            return Ok((request, vec![Target { uri, hop }]));
        }
        if inside {
            // Nobody proved who he is; only a registered phone may leave our route out.
            let refusal: u16 = if self.is_local(&uri) { 481 } else { 403 };
            let registered = self.is_registered(t, flow);
            let known = self.flow_of_contact(t, &uri).filter(|_| registered);
            let hop = Hop::Flow(known.ok_or(refusal)?);
            return Ok((request, vec![Target { uri, hop }]));
        }
        if !self.is_local(&uri) {
            return Err(403);
        }
        let user = uri.user_unescaped().unwrap_or_default();
        t.users.find(&user).ok_or(404_u16)?;
        let bindings = self.location.of(&self.aor(&user), t.wall_ms());
        let targets: Vec<_> = bindings
            .map(|b| Target {
                uri: b.contact.clone(),
                hop: b
                    .flow
                    .map_or_else(|| Hop::Uri(b.contact.clone()), Hop::Flow),
            })
            .collect();
        if targets.is_empty() {
            Err(480)
        } else {
            Ok((request, targets))
        }
    }

    /// Takes our own entries off the Route; gives back what the first sealed one among them says.
    fn without_our_routes(&self, request: &Message) -> (Message, Option<(Flow, Option<Flow>)>) {
        let (mut request, mut token) = (request.clone(), None);
        while let Some(route) = request
            .routes()
            .ok()
            .and_then(|routes| routes.into_iter().next())
        {
            let sealed = route
                .uri
                .user()
                .and_then(|user| unseal(&self.config.secret, user));
            if sealed.is_none() && !self.is_local(&route.uri) {
                break;
            }
            token = token.or(sealed);
            request = Edit::new(&request).pop_top(HeaderName::Route).build();
        }
        (request, token)
    }

    fn is_registered(&self, t: &Turn<'_>, flow: Flow) -> bool {
        let wall_ms = t.wall_ms();
        let mut all = self.location.iter().flat_map(|(_, bindings)| bindings);
        all.any(|b| b.expires_at_ms > wall_ms && b.flow.is_some_and(|f| same_peer(f, flow)))
    }

    fn flow_of_contact(&self, t: &Turn<'_>, uri: &Uri) -> Option<Flow> {
        let wall_ms = t.wall_ms();
        let all = self.location.iter().flat_map(|(_, bindings)| bindings);
        let mut alive = all.filter(|b| b.expires_at_ms > wall_ms);
        alive.find(|b| b.contact == *uri).and_then(|b| b.flow)
    }

    /// Forwards a request to all targets at once. Source: RFC 3261 section 16.6.
    fn fork(
        &mut self,
        t: &mut Turn<'_>,
        key: &TransactionKey,
        request: Message,
        targets: &[Target],
        flow: Flow,
    ) -> Result<(), u16> {
        let breadth = request
            .header("Max-Breadth")
            .and_then(|v| v.text().trim().parse().ok())
            .unwrap_or(MAX_BREADTH);
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        if breadth < count {
            return Err(440);
        }
        let id = self.next_fork;
        self.next_fork += 1;
        let is_invite = request.method() == Some(&Method::Invite);
        let mut fork = Fork {
            server: key.clone(),
            request,
            branches: vec![],
            done: false,
        };
        let mut effects = vec![];
        for target in targets {
            let forwarded = self.forwarded(t, &fork.request, target, flow, breadth / count);
            let reliable = self.transport_of(&target.hop).is_reliable();
            let Some((key, effect)) =
                self.table
                    .start_client(t.now, forwarded.clone(), target.hop.clone(), reliable)
            else {
                continue;
            };
            self.branches.insert(key.clone(), id);
            effects.push(effect);
            let until = is_invite.then(|| t.now + TIMER_C);
            let (hop, request) = (target.hop.clone(), forwarded);
            fork.branches.push(Branch {
                key,
                request,
                hop,
                until,
                rings: false,
                cancel: None,
                last: None,
            });
        }
        self.forks.insert(id, fork);
        self.run(t, effects);
        Ok(())
    }

    /// The request as it goes to one target.
    fn forwarded(
        &self,
        t: &mut Turn<'_>,
        request: &Message,
        target: &Target,
        flow: Flow,
        breadth: u32,
    ) -> Message {
        let transport = self.transport_of(&target.hop);
        let opens = request.to().is_ok_and(|to| to.tag().is_none());
        let mark = loop_mark(request);
        let mut edit = Edit::new(request)
            .request_uri(&target.uri)
            .decrement_max_forwards()
            .set("Max-Breadth", breadth)
            .remove(HeaderName::ProxyAuthorization);
        if opens
            && matches!(
                request.method(),
                Some(Method::Invite | Method::Subscribe | Method::Refer)
            )
        {
            let callee = match &target.hop {
                Hop::Flow(flow) => Some(*flow),
                _ => None,
            };
            let token = seal(&self.config.secret, flow, callee);
            edit = edit.push_top(
                HeaderName::RecordRoute,
                self.record_route(&token, flow.transport),
            );
            if transport != flow.transport {
                // One for each side (RFC 5658).
                edit = edit.push_top(
                    HeaderName::RecordRoute,
                    self.record_route(&token, transport),
                );
            }
        }
        let branch = format!("{MAGIC_COOKIE}{:016x}.{mark}", t.rng.next_u64());
        let (name, sent_by) = (transport.via_name(), self.config.sent_by.of(transport));
        edit.push_top(
            HeaderName::Via,
            format!("SIP/2.0/{name} {sent_by};branch={branch};rport"),
        )
        .build()
    }

    fn record_route(&self, token: &str, transport: Transport) -> String {
        let sent_by = self.config.sent_by.of(transport);
        match transport {
            Transport::Udp => format!("<sip:{token}@{sent_by};lr>"),
            Transport::Tcp => format!("<sip:{token}@{sent_by};transport=tcp;lr>"),
            Transport::Tls => format!("<sip:{token}@{sent_by};transport=tls;lr>"),
        }
    }

    /// ACK of a 2xx: to its dialog, without transaction. Source: RFC 3261 section 16.11.
    fn forward_ack(&mut self, t: &mut Turn<'_>, request: Message, flow: Flow) {
        let inside = request.to().is_ok_and(|to| to.tag().is_some());
        if request.max_forwards() == Ok(Some(0)) || !inside || self.has_looped(&request) {
            return;
        }
        let Ok((request, targets)) = self.targets(t, &request, flow, true) else {
            return;
        };
        let [target] = &targets[..] else { return };
        let message = self.forwarded(t, &request, target, flow, MAX_BREADTH);
        t.out.push(Output::Send {
            message,
            to: target.hop.clone(),
            transaction: None,
        });
    }

    /// Tells whether a request has been here with everything that decides its way unchanged.
    fn has_looped(&self, request: &Message) -> bool {
        let mark = loop_mark(request);
        let vias = request.vias().unwrap_or_default();
        vias.iter()
            .filter_map(|via| via.branch())
            .any(|branch| branch.ends_with(&mark))
    }

    /// Tells whether a URI belongs to this domain.
    pub(super) fn is_local(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host().filter(|_| uri.is_sip()).map(ToString::to_string) else {
            return false;
        };
        let sent_by = &self.config.sent_by;
        let own_ports = [&sent_by.udp, &sent_by.tcp, &sent_by.tls]
            .map(|s| s.rsplit_once(':').and_then(|(_, p)| p.parse().ok()));
        // A phone on our own host has our address but a port of its own.
        let our_port = uri
            .port()
            .is_none_or(|port| own_ports.contains(&Some(port)));
        let names = self.config.aliases.iter().chain([&self.config.name]);
        our_port
            && names
                .into_iter()
                .any(|name| name.eq_ignore_ascii_case(&host))
    }

    pub(super) fn transport_of(&self, hop: &Hop) -> Transport {
        match hop {
            Hop::Flow(flow) => flow.transport,
            Hop::Uri(uri) if uri.scheme() == &crate::message::Scheme::Sips => Transport::Tls,
            Hop::Uri(uri) => uri
                .transport()
                .and_then(Transport::from_name)
                .unwrap_or(Transport::Udp),
            Hop::Proxy(_) => Transport::Udp,
        }
    }

    /// Answers a request ourselves.
    pub(super) fn answer(
        &mut self,
        t: &mut Turn<'_>,
        key: &TransactionKey,
        request: &Message,
        status: u16,
        extra: &[(HeaderName, String)],
    ) {
        let code = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        let builder = if status == 100 {
            Builder::response_to(request, code, None)
        } else {
            let tag = format!("{:016x}", t.rng.next_u64());
            Builder::response_with_tag(request, code, None, &tag)
        };
        let builder = extra
            .iter()
            .fold(builder, |b, (name, value)| b.header(*name, value));
        let response = builder
            .header(HeaderName::Server, &self.config.server)
            .build();
        let effects = self.table.respond(t.now, key, response);
        self.run(t, effects);
    }
}

/// Tells whether two flows lead to the same peer: connections by their number, datagrams by address.
fn same_peer(a: Flow, b: Flow) -> bool {
    (a.transport, a.remote, a.connection) == (b.transport, b.remote, b.connection)
}
