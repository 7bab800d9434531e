//! Holds the contracts to their style: versions, names, zero values, a comment with its unit on every field.

use std::collections::BTreeMap;

use ipdect_proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};

/// One file with its comments by path.
struct Contract {
    file: FileDescriptorProto,
    comments: BTreeMap<Vec<i32>, String>,
}

fn contracts() -> Vec<Contract> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("our own descriptors");
    let ours = set
        .file
        .into_iter()
        .filter(|file| file.name().starts_with("ipdect/"));
    ours.map(|file| {
        let places = file.source_code_info.iter().flat_map(|info| &info.location);
        let comments = places
            .map(|place| {
                (
                    place.path.clone(),
                    format!("{}{}", place.leading_comments(), place.trailing_comments()),
                )
            })
            .filter(|(_, comment)| !comment.trim().is_empty())
            .collect();
        Contract { file, comments }
    })
    .collect()
}

/// Walks a contract and collects what is wrong with it.
struct Judge<'a> {
    comments: &'a BTreeMap<Vec<i32>, String>,
    mistakes: Vec<String>,
}

impl Judge<'_> {
    fn comment(&mut self, path: &[i32], name: &str) -> String {
        let comment = self.comments.get(path).cloned().unwrap_or_default();
        if comment.is_empty() {
            self.mistakes.push(format!("{name} has no comment"));
        }
        comment
    }

    fn expect(&mut self, holds: bool, mistake: impl FnOnce() -> String) {
        if !holds {
            self.mistakes.push(mistake());
        }
    }

    fn message(&mut self, message: &DescriptorProto, path: &[i32]) {
        let name = message.name();
        self.comment(path, name);
        self.expect(is_camel(name), || format!("{name} is not in CamelCase"));
        for (at, field) in (0..).zip(&message.field) {
            self.field(field, &[path, &[2, at]].concat(), name);
        }
        for (at, oneof) in (0..).zip(&message.oneof_decl) {
            self.comment(
                &[path, &[8, at]].concat(),
                &format!("{name}.{}", oneof.name()),
            );
        }
        let is_map = |nested: &DescriptorProto| {
            nested
                .options
                .as_ref()
                .is_some_and(|options| options.map_entry())
        };
        for nested in message.nested_type.iter().filter(|nested| !is_map(nested)) {
            self.mistakes.push(format!(
                "{} is nested; give it a place of its own",
                nested.name()
            ));
        }
    }

    fn field(&mut self, field: &FieldDescriptorProto, path: &[i32], message: &str) {
        let name = format!("{message}.{}", field.name());
        let comment = self.comment(path, &name).to_lowercase();
        self.expect(is_snake(field.name()), || {
            format!("{name} is not in snake_case")
        });
        for (unit, suffix) in [
            ("milliseconds", "_ms"),
            ("microseconds", "_us"),
            ("nanoseconds", "_ns"),
            (", hz", "_hz"),
            ("dbm0", "_dbm0"),
        ] {
            let says = comment.contains(unit) && !comment.contains('`');
            self.expect(!says || field.name().contains(suffix), || {
                format!("{name} is in {unit} and does not say {suffix}")
            });
        }
        for suffix in ["_ms", "_us", "_ns", "_s", "_hz", "_dbm", "_dbm0"] {
            let unit = match suffix {
                "_ms" => "milliseconds",
                "_us" => "microseconds",
                "_ns" => "nanoseconds",
                "_s" => "seconds",
                _ => continue,
            };
            // State variables of LAPC are called V(S) and V(A).
            let counts = field.name().ends_with(suffix) && field.name() != "v_s";
            self.expect(!counts || comment.contains(unit), || {
                format!("{name} does not name its unit {unit}")
            });
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptorProto, path: &[i32]) {
        let name = enumeration.name();
        self.comment(path, name);
        let prefix = upper_snake(name);
        let zero = enumeration
            .value
            .iter()
            .find(|value| value.number() == 0)
            .map(|value| value.name().to_owned());
        self.expect(zero == Some(format!("{prefix}_UNSPECIFIED")), || {
            format!("{name} has no {prefix}_UNSPECIFIED = 0")
        });
        for (at, value) in (0..).zip(&enumeration.value) {
            self.comment(&[path, &[2, at]].concat(), value.name());
            self.expect(value.name().starts_with(&prefix), || {
                format!("{} does not begin with {prefix}", value.name())
            });
        }
    }

    fn service(&mut self, service: &ServiceDescriptorProto, path: &[i32]) {
        self.comment(path, service.name());
        for (at, method) in (0..).zip(&service.method) {
            let name = format!("{}/{}", service.name(), method.name());
            self.comment(&[path, &[2, at]].concat(), &name);
            self.expect(is_camel(method.name()), || {
                format!("{name} is not in CamelCase")
            });
            // tonic's clients have a function of that name already.
            self.expect(method.name() != "Connect", || {
                format!("{name} would not compile")
            });
        }
    }
}

fn is_camel(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_snake(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn upper_snake(camel: &str) -> String {
    let mut out = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

#[test]
fn every_contract_is_in_style() {
    let contracts = contracts();
    assert!(
        contracts.len() >= 6,
        "link, radio, media, cluster, firmware, admin"
    );
    let mut mistakes = Vec::new();
    for Contract { file, comments } in &contracts {
        let mut judge = Judge {
            comments,
            mistakes: vec![],
        };
        let folder = format!("{}/", file.package().replace('.', "/"));
        judge.expect(file.package().ends_with(".v1"), || {
            "its package does not end in a version".into()
        });
        judge.expect(file.name().starts_with(&folder), || {
            format!("it does not lie in {folder}")
        });
        for (at, message) in (0..).zip(&file.message_type) {
            judge.message(message, &[4, at]);
        }
        for (at, enumeration) in (0..).zip(&file.enum_type) {
            judge.enumeration(enumeration, &[5, at]);
        }
        for (at, service) in (0..).zip(&file.service) {
            judge.service(service, &[6, at]);
        }
        mistakes.extend(
            judge
                .mistakes
                .into_iter()
                .map(|mistake| format!("{}: {mistake}", file.name())),
        );
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn every_order_about_a_handset_carries_its_fence() {
    let orders = [
        (
            "ipdect.radio.v1.ServerToBase",
            &[
                "Welcome",
                "Refusal",
                "Ping",
                "Pong",
                "FenceFloor",
                "Query",
                "Configure",
            ][..],
        ),
        (
            "ipdect.media.v1.ServerToMedia",
            &[
                "Welcome",
                "Refusal",
                "Ping",
                "Pong",
                "FenceFloor",
                "Query",
                "Configure",
            ],
        ),
    ];
    let contracts = contracts();
    let messages: BTreeMap<String, &DescriptorProto> = contracts
        .iter()
        .flat_map(|contract| {
            let package = contract.file.package().to_owned();
            contract
                .file
                .message_type
                .iter()
                .map(move |message| (format!("{package}.{}", message.name()), message))
        })
        .collect();
    for (envelope, free) in orders {
        let body = messages[envelope]
            .field
            .iter()
            .filter(|field| field.oneof_index.is_some());
        let mut checked = 0;
        for field in body {
            let name = field.type_name().trim_start_matches('.');
            if free.contains(&name.rsplit('.').next().expect("a name")) {
                continue;
            }
            let first = &messages[name].field[0];
            assert_eq!(
                (first.name(), first.number(), first.type_name()),
                ("order", 1, ".ipdect.link.v1.Order"),
                "{name}"
            );
            checked += 1;
        }
        assert!(checked > 10, "{envelope}");
    }
}

#[test]
fn the_judge_sees_each_kind_of_mistake() {
    let field = |name: &str| FieldDescriptorProto {
        name: Some(name.into()),
        ..FieldDescriptorProto::default()
    };
    let message = DescriptorProto {
        name: Some("bad_name".into()),
        field: vec![field("Field"), field("wait"), field("wait_s")],
        ..DescriptorProto::default()
    };
    let comments = [
        (vec![4, 0], "A message."),
        (vec![4, 0, 2, 1], "Milliseconds."),
        (vec![4, 0, 2, 2], "How long it takes."),
    ];
    let comments = comments
        .into_iter()
        .map(|(path, comment)| (path, comment.to_owned()))
        .collect();
    let mut judge = Judge {
        comments: &comments,
        mistakes: vec![],
    };
    judge.message(&message, &[4, 0]);
    assert_eq!(
        judge.mistakes,
        [
            "bad_name is not in CamelCase",
            "bad_name.Field has no comment",
            "bad_name.Field is not in snake_case",
            "bad_name.wait is in milliseconds and does not say _ms",
            "bad_name.wait_s does not name its unit seconds",
        ]
    );
}
