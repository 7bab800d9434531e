//! The SIP peer: it writes its messages by hand, from what was sent to it, and shares no code with our user agent.

use std::fmt::Write as _;

use ipdect_handset::Event;
use ipdect_sip::message::Message;

use super::Scene;

/// A session description of the peer.
pub(super) fn sdp(version: u32, direction: &str, crypto: bool) -> String {
    let key =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    format!(
        "v=0\r\no=- 77 {version} IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 192.0.2.60\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n{}a={direction}\r\n",
        if crypto { key } else { "" }
    )
}

fn body(sdp: Option<&str>) -> String {
    match sdp {
        Some(sdp) => format!(
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ),
        None => "Content-Length: 0\r\n\r\n".into(),
    }
}

/// A header field of a message as text.
fn field(message: &Message, name: &str) -> String {
    message
        .header(name)
        .map(|value| value.to_string())
        .unwrap_or_default()
}

impl Scene {
    /// The last request of this method that we sent.
    #[track_caller]
    pub fn request(&self, method: &str) -> Message {
        let is = |m: &&Message| m.method().is_some_and(|found| found.to_string() == method);
        self.sent
            .iter()
            .rev()
            .find(is)
            .unwrap_or_else(|| panic!("no {method} was sent"))
            .clone()
    }

    /// The peer's answer to the last request of this method.
    #[track_caller]
    pub fn response_to(
        &mut self,
        method: &str,
        status: u16,
        phrase: &str,
        sdp: Option<&str>,
    ) -> Event {
        let request = self.request(method);
        let to = field(&request, "To");
        let tag = if to.contains(";tag=") || status == 100 {
            ""
        } else {
            ";tag=peer"
        };
        let mut text = format!("SIP/2.0 {status} {phrase}\r\n");
        for via in request.headers("Via") {
            let _ = write!(text, "Via: {via}\r\n");
        }
        let _ = write!(
            text,
            "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n",
            field(&request, "From"),
            field(&request, "Call-ID"),
            field(&request, "CSeq")
        );
        if method == "REGISTER" && status == 200 {
            let _ = write!(
                text,
                "Contact: {};expires=3600\r\n",
                field(&request, "Contact")
            );
        } else if status >= 180 {
            text.push_str("Contact: <sip:peer@192.0.2.60:5060>\r\n");
        }
        if status == 401 {
            text.push_str("WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n");
        }
        text.push_str(&body(sdp));
        Scene::sip(text)
    }

    /// INVITE of the peer, outside any dialog, with its own header fields.
    pub fn invite(&mut self, extra: &str, sdp: Option<&str>) -> Event {
        self.counter += 1;
        let n = self.counter;
        let text = format!(
            "INVITE sip:1001@192.0.2.5:5080;h=716-7k2m9q4x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKpeer{n}\r\n\
             Max-Forwards: 70\r\nFrom: \"Bob\" <sip:1002@example.com>;tag=bob{n}\r\nTo: <sip:1001@example.com>\r\n\
             Call-ID: call{n}@192.0.2.60\r\nCSeq: 1 INVITE\r\nContact: <sip:1002@192.0.2.60:5060>\r\n{extra}{}",
            body(sdp)
        );
        let event = Scene::sip(text);
        if let Event::Sip { message, .. } = &event {
            self.peer_invite = Some((**message).clone());
        }
        event
    }

    /// The peer's ACK to a refusal of ours.
    pub fn ack_of(&mut self, refusal: &Message) -> Event {
        Scene::sip(format!(
            "ACK sip:1001@192.0.2.5:5080;h=716-7k2m9q4x SIP/2.0\r\nVia: {}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
             Call-ID: {}\r\nCSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
            field(refusal, "Via"),
            field(refusal, "From"),
            field(refusal, "To"),
            field(refusal, "Call-ID"),
            field(refusal, "CSeq").split(' ').next().unwrap_or("1"),
        ))
    }

    /// ACK or CANCEL for the peer's INVITE.
    pub fn about_invite(&mut self, method: &str, extra: &str) -> Event {
        let invite = self.peer_invite.clone().expect("the peer called");
        let answer = self.answer_of_ours();
        let (to, branch) = match method {
            "CANCEL" => (field(&invite, "To"), field(&invite, "Via")),
            _ => (
                answer,
                "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKack".into(),
            ),
        };
        Scene::sip(format!(
            "{method} sip:1001@192.0.2.5:5080;h=716-7k2m9q4x SIP/2.0\r\nVia: {branch}\r\nMax-Forwards: 70\r\nFrom: {}\r\n\
             To: {to}\r\nCall-ID: {}\r\nCSeq: 1 {method}\r\n{extra}Content-Length: 0\r\n\r\n",
            field(&invite, "From"),
            field(&invite, "Call-ID"),
        ))
    }

    /// `To` of our last response to the peer's INVITE, with our tag.
    fn answer_of_ours(&self) -> String {
        let is = |m: &&Message| {
            m.is_response() && m.cseq().is_ok_and(|c| c.method.to_string() == "INVITE")
        };
        self.sent
            .iter()
            .rev()
            .find(is)
            .map(|m| field(m, "To"))
            .unwrap_or_default()
    }

    /// A request of the peer inside the dialog, whoever began it.
    pub fn within(&mut self, method: &str, extra: &str, sdp: Option<&str>) -> Event {
        // An ACK has the number of what it acknowledges.
        self.counter += u32::from(method != "ACK");
        let n = self.counter;
        let (from, to, call_id) = match &self.peer_invite {
            Some(invite) => (
                field(invite, "From"),
                self.answer_of_ours(),
                field(invite, "Call-ID"),
            ),
            None => {
                let ours = self.request("INVITE");
                (
                    format!("{};tag=peer", field(&ours, "To")),
                    field(&ours, "From"),
                    field(&ours, "Call-ID"),
                )
            }
        };
        Scene::sip(format!(
            "{method} sip:1001@192.0.2.5:5080;h=716-7k2m9q4x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKin{method}{n}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {} {method}\r\n\
             Contact: <sip:1002@192.0.2.60:5060>\r\n{extra}{}",
            100 + n,
            body(sdp)
        ))
    }
}
