//! The reader, held against files with mistakes.

use super::*;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const WORDS: &[&str] = &["embedded", "etcd"];
const KEYS: &[Key] = &[
    Key::address("link.listen", "Where devices dial in.").default("\"0.0.0.0:7460\""),
    Key::host_port("link.advertise", "What devices dial.").optional(),
    Key::choice("store.kind", WORDS, "Which store.").default("\"embedded\""),
    Key::host_ports("store.endpoints", "Of etcd.").default("[]"),
    Key::ports("rtp.ports", "RTP.").default("\"16384-24575\""),
    Key::integer("rtp.workers", 0, 64, "", "Threads; 0: one a core.").default("0"),
    Key::duration(
        "rtp.grace",
        Duration::from_secs(1),
        Duration::from_secs(3600),
        "Grace.",
    )
    .default("\"15min\""),
    Key::float("radio.virtual.loss", 0.0, 1.0, "", "Loss.").default("0.0"),
    Key::floats("radio.virtual.position_m", 3, "m", "Position.").default("[0, 0, 0]"),
    Key::bool("radio.on", "Whether.").default("true"),
    Key::secret("bootstrap_password", "First password.").default("\"ip6000\""),
    Key::secret("enrol.token", "Token.").optional(),
    Key::texts("sip.bind", "Names.").default("[]"),
    Key::table("initial.settings", "Settings of an empty store."),
    Key::tables("initial.token", "Tokens of an empty store."),
];
const REQUIRED: &[Key] = &[Key::path("node.data_dir", "Where files go.")];

fn root(text: &str) -> Reader {
    Document::parse("server.toml", text).read(&[Section::root(KEYS)])
}

fn mistakes(text: &str) -> Vec<String> {
    told(root(text))
}

fn told(reader: Reader) -> Vec<String> {
    reader.finish(()).map_or_else(
        |errors| errors.0.iter().map(ToString::to_string).collect(),
        |()| Vec::new(),
    )
}

fn with(text: &str, variables: &[(&str, &str)]) -> Reader {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Document::parse("server.toml", text)
        .with_environment(variables)
        .read(&[Section::root(KEYS)])
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let reader = root("");
    let scope = reader.root();
    assert_eq!(
        scope.get::<SocketAddr>("link.listen"),
        "0.0.0.0:7460".parse().unwrap()
    );
    assert_eq!(scope.get::<Option<HostPort>>("link.advertise"), None);
    assert_eq!(
        scope.get::<PortRange>("rtp.ports"),
        PortRange {
            first: 16384,
            last: 24575
        }
    );
    assert_eq!(scope.get::<u16>("rtp.workers"), 0);
    assert_eq!(scope.get::<Duration>("rtp.grace"), Duration::from_secs(900));
    assert_eq!(
        scope.get::<Vec<f64>>("radio.virtual.position_m"),
        [0.0, 0.0, 0.0]
    );
    assert!(scope.get::<bool>("radio.on"));
    assert!(!scope.is_set("radio.on"));
    assert_eq!(scope.table("initial.settings"), None);
    assert_eq!(told(reader), [""; 0]);
}

#[test]
fn every_mistake_is_told_at_once_with_place_value_and_remedy() {
    let text = "\
[link]
listen = \"127.0.0.1\"
advertise = 7460
lisen = 'x'

[store]
kind = \"sqlite\"
[rtp]
ports = \"24575-16384\"
workers = 65
grace = \"15\"
[radio]
on = \"yes\"
virtual = { loss = 1.5, position_m = [1, 2] }
[inital]
";
    assert_eq!(
        mistakes(text),
        [
            "server.toml:2:10 link.listen = \"127.0.0.1\": the port is missing; \
             write address and port, such as \"127.0.0.1:7460\" or \"[::1]:7460\"",
            "server.toml:3:13 link.advertise = 7460: a whole number where text in quotes is wanted; \
             write host and port, such as \"server.example:7460\"",
            "server.toml:4:1 link.lisen: unknown key; did you mean link.listen?",
            "server.toml:7:8 store.kind = \"sqlite\": not one of the words; write one of \"embedded\", \"etcd\"",
            "server.toml:9:9 rtp.ports = \"24575-16384\": the first port is above the last; \
             write range of ports, such as \"16384-24575\"",
            "server.toml:10:11 rtp.workers = 65: more than 64; write whole number 0 to 64",
            "server.toml:11:9 rtp.grace = \"15\": the unit is missing; \
             write time from 1s to 3600s, such as \"250ms\", \"5s\", \"15min\" or \"24h\"",
            "server.toml:13:6 radio.on = \"yes\": text where another type is wanted; write true or false",
            "server.toml:14:20 radio.virtual.loss = 1.5: more than 1; write number 0 to 1",
            "server.toml:14:38 radio.virtual.position_m = [1, 2]: 2 numbers; write list of 3 numbers m",
            "server.toml:15:2 inital: unknown key; did you mean initial?",
        ]
    );
}

#[test]
fn broken_toml_is_told_with_what_is_certain_before_it() {
    let told = mistakes("rtp.workers = 99\n[link]\nlisten = \n[store\nkind = 'etcd'\n");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].starts_with("server.toml:1:15 rtp.workers = 99: "),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("server.toml:3:10: not TOML: "),
        "{told:?}"
    );
    assert!(
        told[2].starts_with("server.toml:4:7: not TOML: "),
        "{told:?}"
    );
    assert!(told[2].contains("; mend the line"), "{told:?}");
}

#[test]
fn columns_count_characters_and_lines_survive_windows() {
    assert_eq!(
        mistakes("# größer\r\n'ü' = 1\r\nsip = { bind = ['é', 5] }\r\n"),
        [
            "server.toml:2:1 ü: unknown key; remove it; --help lists the keys",
            "server.toml:3:16 sip.bind = [\"é\", 5]: member 2 is a whole number; write list of texts",
        ]
    );
}

#[test]
fn a_table_where_a_value_belongs_and_the_other_way_round() {
    assert_eq!(
        mistakes("store = 'etcd'\n[link.listen]\nport = 1\n"),
        [
            "server.toml:1:9 store = \"etcd\": text where a table is wanted; write its keys below [store]",
            "server.toml:2:1 link.listen = {...}: a table where text in quotes is wanted; \
             write address and port, such as \"127.0.0.1:7460\" or \"[::1]:7460\"",
        ]
    );
}

#[test]
fn a_required_key_that_is_missing_is_told_with_its_meaning() {
    let reader = Document::parse("media.toml", "").read(&[Section::root(REQUIRED)]);
    assert_eq!(
        reader.root().get::<PathBuf>("node.data_dir"),
        PathBuf::new()
    );
    assert_eq!(
        told(reader),
        [
            "media.toml node.data_dir: required, but missing; add it: Where files go. (path of a file or directory)"
        ]
    );
}

#[test]
fn secrets_are_never_told() {
    let long = "x".repeat(2000);
    let told = mistakes(&format!(
        "bootstrap_pasword = 'hunter2'\nbootstrap_password = '{long}'\n[enrol]\ntoken = 5\n"
    ));
    assert_eq!(
        told,
        [
            "server.toml:1:1 bootstrap_pasword: unknown key; did you mean bootstrap_password?",
            "server.toml:2:22 bootstrap_password: 2000 characters; write secret text of at most 1024 characters",
            "server.toml:4:9 enrol.token: a whole number where text in quotes is wanted; \
             write secret text of at most 1024 characters",
        ]
    );
}

#[test]
fn the_environment_is_on_top_of_the_file() {
    let reader = with(
        "[link]\nlisten = '192.0.2.1:1'\n",
        &[
            ("IPDECT_LINK__LISTEN", "[::1]:7"),
            ("IPDECT_STORE__ENDPOINTS", "a:1, b:2"),
            ("IPDECT_RADIO__VIRTUAL__POSITION_M", "1,2.5,-3"),
            ("IPDECT_RTP__WORKERS", "4"),
            ("IPDECT_RADIO__ON", "false"),
            ("IPDECT_BOOTSTRAP_PASSWORD", "12345"),
            ("IPDECT_SIP__BIND", "[\"x,y\"]"),
            ("IPDECT_DATA", "/elsewhere"),
            ("IPDECT_SERVER_PORT", "tcp://10.0.0.1:5060"),
            ("PATH", "/bin"),
        ],
    );
    let scope = reader.root();
    assert_eq!(
        scope.get::<SocketAddr>("link.listen"),
        "[::1]:7".parse().unwrap()
    );
    let endpoints: Vec<HostPort> = scope.get("store.endpoints");
    assert_eq!(
        endpoints
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["a:1", "b:2"]
    );
    assert_eq!(
        scope.get::<Vec<f64>>("radio.virtual.position_m"),
        [1.0, 2.5, -3.0]
    );
    assert_eq!(scope.get::<u8>("rtp.workers"), 4);
    assert!(!scope.get::<bool>("radio.on"));
    assert!(scope.is_set("radio.on"));
    assert_eq!(scope.get::<String>("bootstrap_password"), "12345");
    assert_eq!(scope.get::<Vec<String>>("sip.bind"), ["x,y"]);
    assert_eq!(told(reader), [""; 0]);
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let reader = with(
        "",
        &[
            ("IPDECT_RTP__WORKERS", "many"),
            ("IPDECT_LINK__LISTN", "[::1]:7"),
        ],
    );
    assert_eq!(
        told(reader),
        [
            "environment:IPDECT_LINK__LISTN link.listn: unknown key; did you mean link.listen?",
            "environment:IPDECT_RTP__WORKERS rtp.workers = \"many\": text where another type is wanted; \
             write whole number 0 to 64",
        ]
    );
}

#[test]
fn the_same_keys_are_read_below_a_table() {
    let sections = [
        Section::under("server", KEYS),
        Section::under("media", REQUIRED),
    ];
    let text = "[server.rtp]\nworkers = 3\n[media.node]\ndata_dir = '/m'\n[link]\nlisten = 'x'\n";
    let variables = [("IPDECT_SERVER__RADIO__ON".to_owned(), "false".to_owned())];
    let reader = Document::parse("ipdect.toml", text)
        .with_environment(variables)
        .read(&sections);
    assert_eq!(reader.under("server").get::<u32>("rtp.workers"), 3);
    assert!(!reader.under("server").under("radio").get::<bool>("on"));
    assert_eq!(
        reader.under("media").get::<PathBuf>("node.data_dir"),
        PathBuf::from("/m")
    );
    assert_eq!(
        told(reader),
        ["ipdect.toml:5:2 link: unknown key; remove it; --help lists the keys"]
    );
}

#[test]
fn tables_are_passed_through_with_their_places() {
    let text = "[initial.settings.sip]\nlocal_port = 70000\n[[initial.token]]\nrole = 'base'\n[[initial.token]]\nuses = 0\nrol = 1\n";
    let reader = root(text);
    let scope = reader.root();
    let settings = scope.table("initial.settings").unwrap();
    let sip = settings.get("sip").unwrap();
    let port = sip.get("local_port").unwrap();
    assert_eq!((sip.name.as_str(), port.as_i64()), ("sip", Some(70000)));
    scope.report(port.mistake("more than 65535", "write a port"));
    let keys = [
        Key::choice("role", &["base", "media"], "Role."),
        Key::integer("uses", 1, 1000, "", "Uses.").default("1"),
    ];
    let tokens: Vec<Scope> = scope
        .tables("initial.token")
        .iter()
        .map(|t| scope.inside(t, &keys))
        .collect();
    assert_eq!(tokens[0].get::<String>("role"), "base");
    assert_eq!(tokens[0].get::<u32>("uses"), 1);
    assert_eq!(
        told(reader),
        [
            "server.toml:2:14 initial.settings.sip.local_port = 70000: more than 65535; write a port",
            "server.toml:5:1 initial.token[1].role: required, but missing; add it: Role. (one of \"base\", \"media\")",
            "server.toml:6:8 initial.token[1].uses = 0: less than 1; write whole number 1 to 1000",
            "server.toml:7:1 initial.token[1].rol: unknown key; did you mean initial.token[1].role?",
        ]
    );
}

#[test]
fn a_program_adds_its_own_mistakes() {
    let reader = root("[link]\nlisten = '0.0.0.0:1'\n");
    reader
        .root()
        .mistake("link.listen", "needs root", "use a port from 1024 up");
    reader.root().mistake("rtp.ports", "overlap", "move them");
    assert_eq!(
        told(reader),
        [
            "server.toml:2:10 link.listen = \"0.0.0.0:1\": needs root; use a port from 1024 up",
            "server.toml rtp.ports: overlap; move them",
        ]
    );
}

#[test]
fn host_names_times_and_ports_have_their_limits() {
    for (text, fine) in [
        ("a:1", true),
        ("[::1]:65535", true),
        ("192.0.2.1:0", true),
        ("a_b.example:1", true),
        ("a", false),
        ("a:65536", false),
        (":1", false),
        ("a..b:1", false),
        ("::1:1", false),
        ("[a]:1", false),
        ("a b:1", false),
    ] {
        assert_eq!(text.parse::<HostPort>().is_ok(), fine, "{text}");
    }
    for (text, fine) in [
        ("1s", true),
        ("1000ms", true),
        ("60 min", true),
        ("1h", true),
        ("999ms", false),
        ("61min", false),
        ("1", false),
        ("s", false),
        ("-1s", false),
        ("1.5s", false),
        ("99999999999999999999s", false),
        ("18446744073709551615d", false),
        ("1S", false),
    ] {
        assert_eq!(
            mistakes(&format!("rtp.grace = '{text}'")).is_empty(),
            fine,
            "{text}"
        );
    }
    for (text, fine) in [
        ("0", true),
        ("1-1", true),
        ("0-5", false),
        ("5", false),
        ("5-65536", false),
        ("-", false),
    ] {
        assert_eq!(
            mistakes(&format!("rtp.ports = '{text}'")).is_empty(),
            fine,
            "{text}"
        );
    }
    for (text, fine) in [
        ("0x10", true),
        ("1_0", true),
        ("0xFFFF_FFFF_FFFF_FFFF_F", false),
        ("-1", false),
        ("1.0", false),
    ] {
        assert_eq!(
            mistakes(&format!("rtp.workers = {text}")).is_empty(),
            fine,
            "{text}"
        );
    }
    assert_eq!(mistakes("radio.virtual.loss = nan").len(), 1);
    assert_eq!(mistakes("radio.virtual.position_m = [inf, 0, 0]").len(), 1);
}

#[test]
fn the_default_file_is_read_as_defaults() {
    let sections = [Section::root(KEYS), Section::root(Common::KEYS)];
    let text = default_file("ipdect-server", &sections);
    let plain: String = text
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| rest.contains(" = "))
                .unwrap_or(line)
                .to_owned()
                + "\n"
        })
        .collect();
    let reader = Document::parse("default", &plain).read(&sections);
    assert!(reader.root().is_set("rtp.workers"), "{plain}");
    assert_eq!(told(reader), [""; 0], "{plain}");
    assert!(
        text.contains("[radio.virtual]\n# Loss. (number 0 to 1; since PCS16_)\n#loss = 0.0\n"),
        "{text}"
    );
    assert_eq!(
        told(Document::parse("default", &text).read(&sections)),
        [""; 0]
    );
}

#[test]
fn the_listing_has_kind_default_variable_and_meaning() {
    let text = key_list(&[
        Section::under("server", &KEYS[5..6]),
        Section::root(REQUIRED),
    ]);
    assert_eq!(
        text,
        "server.rtp.workers\n    Threads; 0: one a core.\n    whole number 0 to 64; default 0; since PCS16_; \
         IPDECT_SERVER__RTP__WORKERS\nnode.data_dir\n    Where files go.\n    path of a file or directory; required; \
         since PCS16_; IPDECT_NODE__DATA_DIR\n"
    );
}

#[test]
fn common_keys_are_checked_beyond_their_kind() {
    let keys = [
        probe_listen("\"127.0.0.1:7470\""),
        data_dir("\"/var/lib/ipdect/server\""),
    ];
    let sections = [Section::root(Common::KEYS), Section::root(&keys)];
    let reader = Document::parse(
        "base.toml",
        "log = { level = 'loud', format = 'json' }\ntrace.otlp_endpoint = 'host:1'\n",
    )
    .read(&sections);
    let common = Common::read(&reader.root());
    assert_eq!(common.log_format, LogFormat::Json);
    assert_eq!(
        told(reader),
        [
            "base.toml:1:17 log.level = \"loud\": \"loud\" is no level; \
             write a level such as \"info\", or \"info,ipdect_sip=debug\"",
            "base.toml:2:23 trace.otlp_endpoint = \"host:1\": no URL; \
             write one such as \"http://collector:4317\", or \"\" for none",
        ]
    );
    let reader = Document::empty("base.toml").read(&sections);
    let common = Common::read(&reader.root());
    assert_eq!(common.probe_listen.port(), 7470);
    assert_eq!(
        common.data_dir,
        std::path::Path::new("/var/lib/ipdect/server")
    );
    assert_eq!(told(reader), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_of_the_configuration() {
    let errors = Document::load(std::path::Path::new("/nonexistent/server.toml")).unwrap_err();
    assert_eq!(errors.exit_code(), 64);
    assert!(
        errors
            .to_string()
            .starts_with("/nonexistent/server.toml: cannot be read: "),
        "{errors}"
    );
}

#[test]
fn the_nearest_word_must_be_near() {
    assert_eq!(nearest("lisen", ["listen", "level"]), Some("listen"));
    assert_eq!(nearest("zzzzzz", ["listen", "level"]), None);
    assert_eq!(nearest("kind", ["link", "wind"]), Some("wind"));
    assert_eq!(nearest("", ["ab", "abc"]), None);
}
