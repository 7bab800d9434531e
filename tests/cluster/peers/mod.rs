//! Independent programs to test against, each with the recipe that makes it work.

pub(crate) mod baresip;
pub(crate) mod kamailio;
pub(crate) mod linphone;
pub(crate) mod phone;
pub(crate) mod pki;
pub(crate) mod sipp;
