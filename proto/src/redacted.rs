//! `Debug` of messages that hold secrets: it tells what is there, never what it is.

use std::fmt;

/// A secret as it is printed.
struct Hidden(usize);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == 0 { "(none)" } else { "(hidden)" })
    }
}

/// Writes `Debug` for a message: fields that are shown, fields whose content is hidden.
macro_rules! redacted {
    ($($package:ident :: $message:ident { $($shown:ident),* ; $($hidden:ident),+ })+) => {$(
        impl fmt::Debug for crate::$package::v1::$message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message))
                    $(.field(stringify!($shown), &self.$shown))*
                    $(.field(stringify!($hidden), &Hidden(self.$hidden.len())))+
                    .finish()
            }
        }
    )+};
}

redacted! {
    link::EnrolRequest { role, serial, release, wished_name; token, csr_der }
    link::EnrolResponse { node_id, cluster_id, server_addresses; certificate_chain, ca, secret_key }
    link::PathSrtp { suite; key_out, key_in }
    media::LegSrtp { suite, mki, lifetime_packets; key }
    media::IceDescription { ufrag, candidates; pwd }
    radio::SetCipherKey { order, connection_id, algorithm, key_number; dck }
    admin::LoginRequest { name; password }
    admin::LoginResponse { expires_utc_ms, account; session_token }
    admin::ChangePasswordRequest { ; old_password, new_password }
    admin::CreateTokenResponse { token; text }
    admin::Account { name, role, must_change, revision, changed_utc_ms; password_hash }
    admin::User {
        id, username, ipei, standby_text, domain, display_name, auth_user, auth_password_set, call_forward_disabled,
        revision; access_code, auth_password
    }
    admin::DectSettings {
        park, subscription_open, subscription_window_s, handover_reserve, authenticate_calls, cipher_calls,
        local_tones, access_code_set; access_code
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        admin::v1::User,
        link::v1::{PathSrtp, SpeechPath},
    };

    #[test]
    fn secrets_do_not_print() {
        let user = User {
            username: "1001".into(),
            auth_password: "hunter2".into(),
            ..User::default()
        };
        let text = format!("{user:?}");
        assert!(
            text.contains("1001") && text.contains("auth_password: (hidden)"),
            "{text}"
        );
        assert!(
            text.contains("access_code: (none)") && !text.contains("hunter2"),
            "{text}"
        );
        let srtp = PathSrtp {
            key_out: vec![77; 30].into(),
            ..PathSrtp::default()
        };
        let path = SpeechPath {
            srtp: Some(srtp),
            ..SpeechPath::default()
        };
        assert!(!format!("{path:?}").contains("77") && !format!("{path:?}").contains("MMM"));
    }
}
