//! An office: a Kamailio, our programs, and a handset that is registered there.

use anyhow::Result;

use crate::handset::Handset;
use crate::lab::Lab;
use crate::peers::kamailio::{self, Kamailio};
use crate::system::{PATIENCE, Settings, System};

/// Frequencies at which our handset and the phone of the other side speak.
pub(crate) const HANDSET_HZ: f64 = 1000.0;
pub(crate) const PHONE_HZ: f64 = 440.0;

/// What an office has beside its handset.
pub(crate) struct Office {
    pub(crate) system: System,
    pub(crate) kamailio: Kamailio,
}

impl Office {
    /// Opens one, with the handset of the first user.
    pub(crate) fn open(
        lab: &Lab,
        options: &kamailio::Options,
        settings: &Settings,
    ) -> Result<(Self, Handset)> {
        let office = Self::without_handset(lab, options, settings)?;
        let handset = Handset::start(lab, 0, HANDSET_HZ)?;
        office.kamailio.has("1001", PATIENCE)?;
        Ok((office, handset))
    }

    /// Opens one in which nobody has switched on a handset yet.
    pub(crate) fn without_handset(
        lab: &Lab,
        options: &kamailio::Options,
        settings: &Settings,
    ) -> Result<Self> {
        let kamailio = Kamailio::start(lab, options)?;
        let system = System::start(lab, settings)?;
        Ok(Self { system, kamailio })
    }

    /// One over UDP where nothing else is set.
    pub(crate) fn plain(lab: &Lab) -> Result<(Self, Handset)> {
        Self::open(lab, &Default::default(), &Settings::default())
    }
}
