//! Elements that are one code: every value is kept, the known ones have names.

use std::fmt;

/// Defines a one-octet code with named values.
macro_rules! code {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u8);

        impl $name {
            $(#[doc = concat!("Code ", stringify!($code), ": ", $text, ".")]
            pub const $variant: Self = Self($code);)*

            /// Name of a known code.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($code => Some($text),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "code {:02X}", self.0),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:02X}: {self})", stringify!($name), self.0)
            }
        }
    };
}

code! {
    /// `<<BASIC-SERVICE>>`: call class and service.
    BasicService {
        NORMAL_SPEECH = 0x80, "normal call, speech";
        NORMAL_WIDEBAND = 0x88, "normal call, wideband speech";
        INTERNAL_SPEECH = 0x90, "internal call, speech";
        EMERGENCY_SPEECH = 0xA0, "emergency call, speech";
        SERVICE_SPEECH = 0xB0, "service call, speech";
        MESSAGE = 0x40, "message call";
        SUPPLEMENTARY = 0xD0, "supplementary service call";
        OAM = 0xE0, "operation and maintenance call";
    }
}

impl BasicService {
    /// Call class, the high nibble.
    pub const fn class(self) -> u8 {
        self.0 >> 4
    }

    /// Says whether this is narrowband or wideband speech by the default attributes.
    pub const fn is_speech(self) -> bool {
        matches!(self.class(), 0x8..=0xC) && matches!(self.0 & 0x0F, 0 | 8)
    }
}

code! {
    /// `<<RELEASE-REASON>>`.
    ReleaseReason {
        NORMAL = 0x00, "normal";
        UNEXPECTED_MESSAGE = 0x01, "unexpected message";
        UNKNOWN_TRANSACTION = 0x02, "unknown transaction identifier";
        MANDATORY_ELEMENT_MISSING = 0x03, "mandatory information element missing";
        INVALID_ELEMENT = 0x04, "invalid information element contents";
        INCOMPATIBLE_SERVICE = 0x05, "incompatible service";
        SERVICE_NOT_IMPLEMENTED = 0x06, "service not implemented";
        NEGOTIATION_NOT_SUPPORTED = 0x07, "negotiation not supported";
        INVALID_IDENTITY = 0x08, "invalid identity";
        AUTHENTICATION_FAILED = 0x09, "authentication failed";
        UNKNOWN_IDENTITY = 0x0A, "unknown identity";
        NEGOTIATION_FAILED = 0x0B, "negotiation failed";
        COLLISION = 0x0C, "collision";
        TIMER_EXPIRY = 0x0D, "timer expiry";
        PARTIAL_RELEASE = 0x0E, "partial release";
        UNKNOWN = 0x0F, "unknown";
        USER_DETACHED = 0x10, "user detached";
        USER_NOT_IN_RANGE = 0x11, "user not in range";
        USER_UNKNOWN = 0x12, "user unknown";
        USER_ALREADY_ACTIVE = 0x13, "user already active";
        USER_BUSY = 0x14, "user busy";
        USER_REJECTION = 0x15, "user rejection";
        USER_CALL_MODIFY = 0x16, "user call modify";
        OVERLOAD = 0x31, "overload";
        INSUFFICIENT_RESOURCES = 0x32, "insufficient resources";
        INSUFFICIENT_BEARERS = 0x33, "insufficient bearers";
        IWU_CONGESTION = 0x34, "congestion in the network behind";
        SECURITY_ATTACK = 0x40, "security attack assumed";
        ENCRYPTION_FAILED = 0x41, "encryption activation failed";
        REKEYING_FAILED = 0x42, "re-keying failed";
        NO_CIPHER_KEY = 0x43, "no cipher key";
    }
}

code! {
    /// `<<REJECT-REASON>>` of mobility management and paging.
    RejectReason {
        TPUI_UNKNOWN = 0x01, "TPUI unknown";
        IPUI_UNKNOWN = 0x02, "IPUI unknown";
        IPEI_NOT_ACCEPTED = 0x05, "IPEI not accepted";
        IPUI_NOT_ACCEPTED = 0x06, "IPUI not accepted";
        AUTHENTICATION_FAILED = 0x10, "authentication failed";
        NO_AUTH_ALGORITHM = 0x11, "no authentication algorithm";
        AUTH_ALGORITHM_NOT_SUPPORTED = 0x12, "authentication algorithm not supported";
        AUTH_KEY_NOT_SUPPORTED = 0x13, "authentication key not supported";
        UPI_NOT_ENTERED = 0x14, "PIN not entered";
        NO_CIPHER_ALGORITHM = 0x17, "no cipher algorithm";
        CIPHER_ALGORITHM_NOT_SUPPORTED = 0x18, "cipher algorithm not supported";
        CIPHER_KEY_NOT_SUPPORTED = 0x19, "cipher key not supported";
        INCOMPATIBLE_SERVICE = 0x20, "incompatible service";
        FALSE_LCE_REPLY = 0x21, "false page response";
        LATE_LCE_REPLY = 0x22, "late page response";
        INVALID_TPUI = 0x23, "invalid TPUI";
        TPUI_LIMITS = 0x24, "TPUI assignment limits unacceptable";
        INSUFFICIENT_MEMORY = 0x2F, "insufficient memory";
        OVERLOAD = 0x30, "overload";
        INVALID_MESSAGE = 0x5F, "invalid message";
        ELEMENT_ERROR = 0x60, "information element error";
        INVALID_ELEMENT = 0x64, "invalid information element contents";
        TIMER_EXPIRY = 0x70, "timer expiry";
        PLMN_NOT_ALLOWED = 0x76, "network not allowed";
        LOCATION_AREA_NOT_ALLOWED = 0x80, "location area not allowed";
        ROAMING_NOT_ALLOWED = 0x81, "roaming not allowed";
    }
}

code! {
    /// `<<SIGNAL>>`: a tone or alerting pattern made by the handset.
    Signal {
        DIAL_TONE = 0x00, "dial tone";
        RING_BACK = 0x01, "ring-back tone";
        INTERCEPT = 0x02, "intercept tone";
        CONGESTION = 0x03, "congestion tone";
        BUSY = 0x04, "busy tone";
        CONFIRM = 0x05, "confirmation tone";
        ANSWER = 0x06, "answer tone";
        CALL_WAITING = 0x07, "call waiting tone";
        OFF_HOOK_WARNING = 0x08, "off-hook warning tone";
        NEGATIVE_ACK = 0x09, "negative acknowledgement tone";
        TONES_OFF = 0x3F, "tones off";
        ALERTING_0 = 0x40, "alerting pattern 0";
        ALERTING_CONTINUOUS = 0x48, "alerting continuous";
        ALERTING_OFF = 0x4F, "alerting off";
    }
}

impl Signal {
    /// Alerting pattern 0..=7 (taken modulo 8).
    pub const fn alerting(pattern: u8) -> Self {
        Self(0x40 | pattern & 7)
    }

    /// Says whether the ringer sounds: a pattern, or continuously.
    pub const fn is_alerting(self) -> bool {
        matches!(self.0, 0x40..=0x48)
    }
}
