use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::auth::digest::{Client, ClientError};
use crate::message::{Builder, Method, StatusCode};

const URI: &str = "sip:ipdect.internal";

/// A client and a server that talk without a wire.
struct Scene {
    rng: ChaCha8Rng,
    server: Server,
    client: Client,
    now: SystemTime,
}

impl Scene {
    fn new(password: &str) -> Scene {
        Scene {
            rng: ChaCha8Rng::seed_from_u64(7),
            server: Server::new(
                "ipdect.internal",
                b"secret of the server",
                Duration::from_secs(300),
            ),
            client: Client::new("alice", Password::new(password)),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        }
    }

    fn request(&mut self) -> Message {
        let uri: Uri = URI.parse().unwrap();
        let mut builder = Builder::request(Method::Register, &uri);
        for (name, credentials) in self
            .client
            .authorize(&Method::Register, URI, b"", &mut self.rng)
        {
            builder = builder.header(name, credentials);
        }
        builder.build()
    }

    fn verify(&mut self, request: &Message) -> Verdict {
        let lookup = |user: &str| (user == "alice").then(|| Password::new("right"));
        self.server
            .verify(self.now, request, HeaderName::Authorization, lookup)
    }

    fn challenge(&mut self, request: &Message, stale: bool) -> Result<(), ClientError> {
        let challenges = self.server.challenges(self.now, stale, &mut self.rng);
        let response = Builder::response_to(request, StatusCode::UNAUTHORIZED, None)
            .headers(HeaderName::WwwAuthenticate, challenges)
            .build();
        self.client.challenged(request, &response)
    }

    /// Sends a request that is challenged and the one that answers.
    fn log_in(&mut self) -> Message {
        let first = self.request();
        self.challenge(&first, false).unwrap();
        self.request()
    }
}

fn accepted() -> Verdict {
    Verdict::Accepted {
        username: "alice".into(),
    }
}

#[test]
fn the_right_password_is_accepted_and_the_nonce_counts_on() {
    let mut s = Scene::new("right");
    let first = s.request();
    assert_eq!(s.verify(&first), Verdict::Challenge { stale: false });
    s.challenge(&first, false).unwrap();
    for count in 1..=20 {
        let request = s.request();
        let text = request
            .header(HeaderName::Authorization)
            .unwrap()
            .text()
            .into_owned();
        assert!(
            text.contains(&format!("nc={count:08x}")) && text.contains("SHA-256"),
            "{text}"
        );
        assert_eq!(s.verify(&request), accepted());
    }
}

#[test]
fn a_wrong_password_is_challenged_and_the_client_gives_up() {
    let mut s = Scene::new("wrong");
    let request = s.log_in();
    assert_eq!(s.verify(&request), Verdict::Challenge { stale: false });
    assert_eq!(
        s.challenge(&request, false),
        Err(ClientError::Rejected {
            realm: "ipdect.internal".into()
        })
    );
}

#[test]
fn a_replayed_request_is_stale_and_a_reordered_one_is_not() {
    let mut s = Scene::new("right");
    let first = s.log_in();
    let second = s.request();
    assert_eq!(s.verify(&second), accepted());
    assert_eq!(s.verify(&first), accepted());
    assert_eq!(s.verify(&first), Verdict::Challenge { stale: true });
    assert_eq!(s.verify(&second), Verdict::Challenge { stale: true });
}

#[test]
fn an_old_nonce_is_stale_and_the_client_answers_the_new_one() {
    let mut s = Scene::new("right");
    let request = s.log_in();
    s.now += Duration::from_secs(301);
    assert_eq!(s.verify(&request), Verdict::Challenge { stale: true });
    s.challenge(&request, true).unwrap();
    let again = s.request();
    assert_eq!(s.verify(&again), accepted());
}

#[test]
fn a_nonce_of_another_secret_proves_nothing() {
    let mut s = Scene::new("right");
    let request = s.log_in();
    s.server = Server::new(
        "ipdect.internal",
        b"another secret",
        Duration::from_secs(300),
    );
    assert_eq!(s.verify(&request), Verdict::Challenge { stale: false });
}

#[test]
fn another_server_with_the_same_secret_takes_the_nonce() {
    let mut s = Scene::new("right");
    let request = s.log_in();
    s.server = Server::new(
        "ipdect.internal",
        b"secret of the server",
        Duration::from_secs(300),
    );
    assert_eq!(s.verify(&request), accepted());
}

#[test]
fn credentials_for_another_uri_or_unreadable_ones_are_malformed() {
    let mut s = Scene::new("right");
    let request = s.log_in();
    let other = crate::message::Edit::new(&request)
        .request_uri(&"sip:elsewhere".parse().unwrap())
        .build();
    assert_eq!(
        s.verify(&other),
        Verdict::Malformed("digest uri is not the Request-URI")
    );
    let broken = crate::message::Edit::new(&request)
        .set(HeaderName::Authorization, "Digest realm=\"open")
        .build();
    assert!(matches!(s.verify(&broken), Verdict::Malformed(_)));
}

#[test]
fn a_server_that_knows_md5_only_is_answered_with_md5() {
    let mut s = Scene::new("right");
    let request = s.request();
    let [_, md5] = s.server.challenges(s.now, false, &mut s.rng);
    let response = Builder::response_to(&request, StatusCode::PROXY_AUTHENTICATION_REQUIRED, None)
        .header(
            HeaderName::ProxyAuthenticate,
            "Digest realm=\"ipdect.internal\", nonce=\"x\", algorithm=SHA-512-256",
        )
        .header(HeaderName::ProxyAuthenticate, md5)
        .build();
    s.client.challenged(&request, &response).unwrap();
    let answered = s.request();
    let lookup = |_: &str| Some(Password::new("right"));
    assert_eq!(
        s.server
            .verify(s.now, &answered, HeaderName::ProxyAuthorization, lookup),
        accepted()
    );
}

#[test]
fn counts_may_arrive_out_of_order_within_64() {
    let mut seen = Seen::default();
    assert_eq!(
        [1, 3, 2, 3, 2, 1, 0].map(|count| seen.note(count)),
        [true, true, true, false, false, false, false]
    );
    assert_eq!(
        [100, 36, 35, 36, 99].map(|count| seen.note(count)),
        [true, true, false, false, true]
    );
    assert_eq!([u32::MAX, 100].map(|count| seen.note(count)), [true, false]);
}

#[test]
fn passwords_do_not_print() {
    assert_eq!(
        format!("{:?}", Password::new("geheim")),
        "Password(redacted)"
    );
}
