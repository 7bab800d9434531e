//! Message types of each NWK entity, EN 300 175-5 section 7.4.

/// Defines one entity's message types with their codes.
macro_rules! message_types {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$item])* $variant,)* }

        impl $name {
            /// All message types of this entity.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Code of the type, the second octet of a message.
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// Type with this code, if there is one.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

message_types! {
    /// Link control messages. `{LCE-REQUEST-PAGE}` has a format of its own, see [`super::Page`].
    Lce {
        /// `{LCE-PAGE-RESPONSE}`, portable to fixed.
        PageResponse = 0x71,
        /// `{LCE-PAGE-REJECT}`, fixed to portable.
        PageReject = 0x72,
    }
}

message_types! {
    /// Call control messages.
    Cc {
        /// `{CC-ALERTING}`.
        Alerting = 0x01,
        /// `{CC-CALL-PROC}`, fixed to portable.
        CallProc = 0x02,
        /// `{CC-SETUP}`.
        Setup = 0x05,
        /// `{CC-CONNECT}`.
        Connect = 0x07,
        /// `{CC-SETUP-ACK}`, fixed to portable.
        SetupAck = 0x0D,
        /// `{CC-CONNECT-ACK}`.
        ConnectAck = 0x0F,
        /// `{CC-SERVICE-CHANGE}`.
        ServiceChange = 0x20,
        /// `{CC-SERVICE-ACCEPT}`.
        ServiceAccept = 0x21,
        /// `{CC-SERVICE-REJECT}`.
        ServiceReject = 0x23,
        /// `{HOLD}`.
        Hold = 0x24,
        /// `{HOLD-ACK}`.
        HoldAck = 0x28,
        /// `{HOLD-REJECT}`.
        HoldReject = 0x30,
        /// `{RETRIEVE}`.
        Retrieve = 0x31,
        /// `{RETRIEVE-ACK}`.
        RetrieveAck = 0x33,
        /// `{RETRIEVE-REJECT}`.
        RetrieveReject = 0x37,
        /// `{CC-RELEASE}`.
        Release = 0x4D,
        /// `{CC-RELEASE-COM}`.
        ReleaseCom = 0x5A,
        /// `{IWU-INFO}`.
        IwuInfo = 0x60,
        /// `{FACILITY}` of a call.
        Facility = 0x62,
        /// `{CC-NOTIFY}`, fixed to portable.
        Notify = 0x6E,
        /// `{CC-INFO}`.
        Info = 0x7B,
    }
}

message_types! {
    /// Call independent supplementary service messages.
    Ciss {
        /// `{CISS-RELEASE-COM}`.
        ReleaseCom = 0x5A,
        /// `{FACILITY}`.
        Facility = 0x62,
        /// `{CISS-REGISTER}`.
        Register = 0x64,
    }
}

message_types! {
    /// Mobility management messages.
    Mm {
        /// `{AUTHENTICATION-REQUEST}`.
        AuthRequest = 0x40,
        /// `{AUTHENTICATION-REPLY}`.
        AuthReply = 0x41,
        /// `{KEY-ALLOCATE}`, fixed to portable.
        KeyAllocate = 0x42,
        /// `{AUTHENTICATION-REJECT}`.
        AuthReject = 0x43,
        /// `{ACCESS-RIGHTS-REQUEST}`, portable to fixed.
        AccessRightsRequest = 0x44,
        /// `{ACCESS-RIGHTS-ACCEPT}`, fixed to portable.
        AccessRightsAccept = 0x45,
        /// `{ACCESS-RIGHTS-REJECT}`, fixed to portable.
        AccessRightsReject = 0x47,
        /// `{ACCESS-RIGHTS-TERMINATE-REQUEST}`.
        AccessRightsTerminateRequest = 0x48,
        /// `{ACCESS-RIGHTS-TERMINATE-ACCEPT}`.
        AccessRightsTerminateAccept = 0x49,
        /// `{ACCESS-RIGHTS-TERMINATE-REJECT}`.
        AccessRightsTerminateReject = 0x4B,
        /// `{CIPHER-REQUEST}`, fixed to portable.
        CipherRequest = 0x4C,
        /// `{CIPHER-SUGGEST}`, portable to fixed.
        CipherSuggest = 0x4E,
        /// `{CIPHER-REJECT}`.
        CipherReject = 0x4F,
        /// `{MM-INFO-REQUEST}`, portable to fixed.
        InfoRequest = 0x50,
        /// `{MM-INFO-ACCEPT}`, fixed to portable.
        InfoAccept = 0x51,
        /// `{MM-INFO-SUGGEST}`, fixed to portable.
        InfoSuggest = 0x52,
        /// `{MM-INFO-REJECT}`, fixed to portable.
        InfoReject = 0x53,
        /// `{LOCATE-REQUEST}`, portable to fixed.
        LocateRequest = 0x54,
        /// `{LOCATE-ACCEPT}`, fixed to portable.
        LocateAccept = 0x55,
        /// `{DETACH}`, portable to fixed.
        Detach = 0x56,
        /// `{LOCATE-REJECT}`, fixed to portable.
        LocateReject = 0x57,
        /// `{IDENTITY-REQUEST}`, fixed to portable.
        IdentityRequest = 0x58,
        /// `{IDENTITY-REPLY}`, portable to fixed.
        IdentityReply = 0x59,
        /// `{MM-IWU}`.
        Iwu = 0x5B,
        /// `{TEMPORARY-IDENTITY-ASSIGN}`, fixed to portable.
        TemporaryIdentityAssign = 0x5C,
        /// `{TEMPORARY-IDENTITY-ASSIGN-ACK}`, portable to fixed.
        TemporaryIdentityAssignAck = 0x5D,
        /// `{TEMPORARY-IDENTITY-ASSIGN-REJ}`, portable to fixed.
        TemporaryIdentityAssignRej = 0x5F,
        /// `{MM-NOTIFY}`, fixed to portable.
        Notify = 0x6E,
    }
}

message_types! {
    /// Connectionless messages. `{CLMS-FIXED}` has a format of its own.
    Clms {
        /// `{CLMS-VARIABLE}`.
        Variable = 0x01,
    }
}

message_types! {
    /// Connection oriented message service.
    Coms {
        /// `{COMS-SETUP}`.
        Setup = 0x05,
        /// `{COMS-CONNECT}`.
        Connect = 0x07,
        /// `{COMS-NOTIFY}`.
        Notify = 0x08,
        /// `{COMS-RELEASE}`.
        Release = 0x4D,
        /// `{COMS-RELEASE-COM}`.
        ReleaseCom = 0x5A,
        /// `{COMS-ACK}`.
        Ack = 0x78,
        /// `{COMS-INFO}`.
        Info = 0x7B,
    }
}

/// Type of a message: its entity (protocol discriminator) and the type within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Link control entity.
    Lce(Lce),
    /// Call control.
    Cc(Cc),
    /// Call independent supplementary services.
    Ciss(Ciss),
    /// Mobility management.
    Mm(Mm),
    /// Connectionless message service.
    Clms(Clms),
    /// Connection oriented message service.
    Coms(Coms),
}

impl Kind {
    /// Protocol discriminator and message type code.
    pub const fn codes(self) -> (u8, u8) {
        match self {
            Self::Lce(kind) => (0, kind.code()),
            Self::Cc(kind) => (3, kind.code()),
            Self::Ciss(kind) => (4, kind.code()),
            Self::Mm(kind) => (5, kind.code()),
            Self::Clms(kind) => (6, kind.code()),
            Self::Coms(kind) => (7, kind.code()),
        }
    }

    /// Kind with these codes; `Err(true)` if only the message type is unknown, `Err(false)` if the entity is.
    pub(super) fn from_codes(discriminator: u8, code: u8) -> Result<Self, bool> {
        match discriminator {
            0 => Lce::from_code(code).map(Self::Lce),
            3 => Cc::from_code(code).map(Self::Cc),
            4 => Ciss::from_code(code).map(Self::Ciss),
            5 => Mm::from_code(code).map(Self::Mm),
            6 => Clms::from_code(code).map(Self::Clms),
            7 => Coms::from_code(code).map(Self::Coms),
            _ => return Err(false),
        }
        .ok_or(true)
    }

    /// Every kind of message, for tests and tables.
    pub fn all() -> impl Iterator<Item = Self> {
        let lce = Lce::ALL.iter().map(|&k| Self::Lce(k));
        let cc = Cc::ALL.iter().map(|&k| Self::Cc(k));
        let ciss = Ciss::ALL.iter().map(|&k| Self::Ciss(k));
        let mm = Mm::ALL.iter().map(|&k| Self::Mm(k));
        let clms = Clms::ALL.iter().map(|&k| Self::Clms(k));
        let coms = Coms::ALL.iter().map(|&k| Self::Coms(k));
        lce.chain(cc).chain(ciss).chain(mm).chain(clms).chain(coms)
    }
}
