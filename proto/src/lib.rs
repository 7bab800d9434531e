//! What nodes say to each other, and nothing else: the contracts in `ipdect/*/v1/*.proto` as Rust types,
//! tonic clients and servers.
//!
//! The code in `src/gen` is generated and committed; `tests/generated.rs` compares it with its source.
#![allow(missing_docs, clippy::doc_markdown, unreachable_pub)]

/// Descriptors of all contracts, with their dependencies, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptor.bin");

mod redacted;

/// Links: handshake, heartbeat, fencing, enrolment.
pub mod link {
    /// Version 1.
    #[allow(clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!("gen/ipdect.link.v1.rs");
    }
}

/// Server and base station.
pub mod radio {
    /// Version 1.
    #[allow(clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!("gen/ipdect.radio.v1.rs");
    }
}

/// Server and media resource.
pub mod media {
    /// Version 1.
    #[allow(clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!("gen/ipdect.media.v1.rs");
    }
}

/// Server and server, directory, live state, rows of the store.
pub mod cluster {
    /// Version 1.
    #[allow(clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!("gen/ipdect.cluster.v1.rs");
    }
}

/// Firmware of every node.
pub mod firmware {
    /// Version 1.
    #[allow(clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!("gen/ipdect.firmware.v1.rs");
    }
}

/// Operators: people, programs, pages.
pub mod admin {
    /// Version 1.
    #[allow(clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!("gen/ipdect.admin.v1.rs");
    }
}
