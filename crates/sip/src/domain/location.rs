//! The location service: which contacts an address of record is bound to. Source: RFC 3261 section 10, RFC 5626.

use std::collections::BTreeMap;

use crate::message::Uri;
use crate::transaction::{Flow, Transport};

/// Most contacts an address of record may have.
pub const MOST_CONTACTS: usize = 10;

/// One contact of an address of record, as plain data: its keeper stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The contact's URI.
    pub contact: Uri,
    /// The flow it registered on; requests go back over it.
    pub flow: Option<Flow>,
    /// Call-ID of the REGISTER.
    pub call_id: String,
    /// CSeq number of the REGISTER.
    pub cseq: u32,
    /// End of the binding, in milliseconds since 1970.
    pub expires_at_ms: u64,
    /// `+sip.instance`, if given.
    pub instance: Option<String>,
    /// The phone's User-Agent.
    pub user_agent: String,
}

/// All bindings by address of record (`user@domain`).
#[derive(Debug, Clone, Default)]
pub struct Location {
    bindings: BTreeMap<String, Vec<Binding>>,
}

impl Location {
    /// Takes stored bindings in. Connections do not outlive a restart; pairs of datagram addresses do.
    pub fn load(&mut self, aor: &str, mut bindings: Vec<Binding>) {
        for binding in &mut bindings {
            binding.flow = binding.flow.filter(|flow| flow.transport == Transport::Udp);
        }
        self.replace(aor, bindings);
    }

    /// The bindings of an address of record that have not ended.
    pub fn of(&self, aor: &str, wall_ms: u64) -> impl Iterator<Item = &Binding> + use<'_> {
        let all = self.bindings.get(aor).into_iter().flatten();
        all.filter(move |b| b.expires_at_ms > wall_ms)
    }

    /// All addresses of record with bindings.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Binding])> {
        self.bindings
            .iter()
            .map(|(aor, bindings)| (&**aor, &**bindings))
    }

    /// Tells whether nobody is registered.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Puts other bindings in the place of those of an address of record.
    pub fn replace(&mut self, aor: &str, bindings: Vec<Binding>) {
        if bindings.is_empty() {
            self.bindings.remove(aor);
        } else {
            self.bindings.insert(aor.to_owned(), bindings);
        }
    }

    /// Removes what the condition does not hold for; gives back the addresses of record that lost something.
    pub fn retain(&mut self, keep: impl Fn(&Binding) -> bool) -> Vec<String> {
        let mut changed = vec![];
        self.bindings.retain(|aor, bindings| {
            let before = bindings.len();
            bindings.retain(&keep);
            if bindings.len() != before {
                changed.push(aor.clone());
            }
            !bindings.is_empty()
        });
        changed
    }
}
