//! Forms: what was sent, what is shown, and which mistake belongs to which field.

/// The fields of a form as sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// From pairs in the order of the form.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// A field's text; empty if it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v.trim())
    }

    /// A field's text with its blanks, as passwords need.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v)
    }

    /// Whether a box is ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }
}

/// What kind of input a field is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// One line.
    Text,
    /// A whole number.
    Number(u32, u32),
    /// A secret: never shown, empty means unchanged.
    Secret,
    /// On or off.
    Switch,
    /// One of these: value and word.
    Choice(Vec<(&'static str, &'static str)>),
    /// Several lines.
    Lines,
}

/// One field of a form as shown; renders itself.
#[derive(Clone, Debug, PartialEq, askama::Template)]
#[template(path = "input.html")]
pub(crate) struct Input {
    /// Name in the form and in mistakes.
    pub(crate) name: String,
    /// Name for a person.
    pub(crate) label: String,
    /// Kind.
    pub(crate) kind: Kind,
    /// Present value; `on` or empty for a switch.
    pub(crate) value: String,
    /// Documented default, for a person.
    pub(crate) default: String,
    /// What it does, one sentence.
    pub(crate) help: String,
    /// What is wrong with it and how to mend it; empty: nothing.
    pub(crate) mistake: String,
    /// Must not be empty.
    pub(crate) required: bool,
}

impl Input {
    /// A field without value.
    pub(crate) fn new(name: &str, label: &str, kind: Kind, default: &str, help: &str) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind,
            value: String::new(),
            default: default.into(),
            help: help.into(),
            mistake: String::new(),
            required: false,
        }
    }

    /// With a value.
    pub(crate) fn holding(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// As it must be filled in.
    pub(crate) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The value for a person.
    pub(crate) fn shown(&self) -> String {
        match &self.kind {
            Kind::Switch => if self.value.is_empty() { "off" } else { "on" }.into(),
            Kind::Secret => if self.value.is_empty() {
                "unchanged"
            } else {
                "a new one"
            }
            .into(),
            Kind::Choice(all) => all
                .iter()
                .find(|(v, _)| *v == self.value)
                .map_or_else(|| self.value.clone(), |(_, w)| (*w).into()),
            _ if self.value.is_empty() => "empty".into(),
            _ => self.value.clone(),
        }
    }

    /// Whether an option of a choice is the present one.
    pub(crate) fn chosen(&self, option: &str) -> bool {
        self.value == option
    }
}

/// Puts each mistake that the API told, as `field: remedy; field = value: remedy`, at its field. Answers the rest.
pub(crate) fn place_mistakes(message: &str, inputs: &mut [Input]) -> Vec<String> {
    let mut rest: Vec<String> = Vec::new();
    let mut last: Option<usize> = None;
    for part in message.split("; ") {
        if let Some((at, said)) = inputs
            .iter()
            .enumerate()
            .find_map(|(n, i)| about(&i.name, part).map(|s| (n, s)))
        {
            add(&mut inputs[at].mistake, said);
            last = Some(at);
        } else if let Some(at) = last {
            // A remedy may have a semicolon of its own.
            add(&mut inputs[at].mistake, part);
        } else if let Some(said) = rest.last_mut() {
            add(said, part);
        } else {
            rest.push(part.into());
        }
    }
    rest
}

fn add(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push_str("; ");
    }
    text.push_str(more);
}

/// What a part says of a field, if it begins with its name (or one of its members, as `routes[1].uri`).
fn about<'a>(name: &str, part: &'a str) -> Option<&'a str> {
    let rest = part.strip_prefix(name)?;
    if let Some(said) = rest.strip_prefix(": ").or_else(|| rest.strip_prefix(" = ")) {
        return Some(said);
    }
    rest.starts_with('[').then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Vec<Input> {
        ["port", "local_port", "routes"]
            .iter()
            .map(|n| Input::new(n, n, Kind::Text, "", ""))
            .collect()
    }

    #[test]
    fn each_mistake_stands_at_its_field_and_the_others_at_the_top() {
        let mut all = inputs();
        let said = "local_port = 80: a port; TLS takes the next one; port: is missing; routes[1].uri = x: not a SIP address";
        assert_eq!(place_mistakes(said, &mut all), Vec::<String>::new());
        assert_eq!(all[0].mistake, "is missing");
        assert_eq!(all[1].mistake, "80: a port; TLS takes the next one");
        assert_eq!(all[2].mistake, "routes[1].uri = x: not a SIP address");
        assert_eq!(
            place_mistakes("the store is full; make room", &mut inputs()),
            ["the store is full; make room"]
        );
    }

    #[test]
    fn a_field_sent_twice_counts_with_its_last_value() {
        let fields = Fields::new(vec![("a".into(), "1".into()), ("a".into(), " 2 ".into())]);
        assert_eq!(
            (fields.get("a"), fields.raw("a"), fields.get("b")),
            ("2", " 2 ", "")
        );
        assert!(fields.ticked("a") && !fields.ticked("b"));
    }
}
