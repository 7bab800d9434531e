//! Who asks, and what he may.

use std::net::IpAddr;

use ipdect_proto::admin::v1::AccountRole;
use tonic::Status;

/// Reason in the status of calls before the first password was changed.
pub const PASSWORD_CHANGE_REQUIRED: &str = "PASSWORD_CHANGE_REQUIRED";

/// A person or program with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Account.
    pub name: String,
    /// What it may do.
    pub role: AccountRole,
    /// The password must be changed before anything else.
    pub must_change: bool,
    /// Where it asks from.
    pub address: IpAddr,
    /// The session's token.
    pub session: String,
    /// End of the session, milliseconds since 1970.
    pub expires_utc_ms: u64,
}

impl Caller {
    /// Lets the caller pass who has at least this role and a password of his own.
    ///
    /// # Errors
    /// FAILED_PRECONDITION before the password was changed, PERMISSION_DENIED for a lower role.
    pub fn must_be(&self, role: AccountRole) -> Result<(), Status> {
        if self.must_change {
            return Err(Status::failed_precondition(format!(
                "{PASSWORD_CHANGE_REQUIRED}: change the password first (Session/ChangePassword)"
            )));
        }
        if self.role < role {
            let needed = role
                .as_str_name()
                .trim_start_matches("ACCOUNT_ROLE_")
                .to_ascii_lowercase();
            return Err(Status::permission_denied(format!(
                "this needs the role {needed}; ask an administrator"
            )));
        }
        Ok(())
    }
}
