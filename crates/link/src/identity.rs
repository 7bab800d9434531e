//! Who a caller is, by its certificate, and what it may call. Source: contracts 4.

use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use crate::role::{NodeId, Role, role_name, role_named};

/// Name under which clients verify any server.
pub const SERVER_NAME: &str = "server.ipdect.internal";

/// The bearer of a certificate of this cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// UUID of the cluster that issued it.
    pub cluster_id: String,
    /// What the bearer is.
    pub role: Role,
    /// Its name.
    pub node_id: NodeId,
    /// Serial number of the certificate, big endian, without leading zeros.
    pub certificate_serial: Vec<u8>,
}

/// Why a certificate names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is not X.509.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// It has no URI of ours among its names, or more than one.
    #[error("the certificate has not exactly one ipdect URI")]
    NoUri,
    /// The URI is not `ipdect://cluster/role/node`.
    #[error("the certificate's URI is malformed")]
    BadUri,
}

impl PeerIdentity {
    /// Reads the identity out of a DER certificate; says nothing about who signed it.
    ///
    /// # Errors
    /// [`IdentityError`] if it names nobody.
    pub fn from_certificate(der: &[u8]) -> Result<Self, IdentityError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| IdentityError::Unreadable)?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| IdentityError::Unreadable)?
            .ok_or(IdentityError::NoUri)?;
        let mut uris = names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::URI(uri) if uri.starts_with("ipdect://") => Some(*uri),
                _ => None,
            });
        let (Some(uri), None) = (uris.next(), uris.next()) else {
            return Err(IdentityError::NoUri);
        };
        let (cluster_id, role, node_id) = parse_uri(uri).ok_or(IdentityError::BadUri)?;
        let certificate_serial = normal_serial(certificate.raw_serial());
        Ok(Self {
            cluster_id,
            role,
            node_id,
            certificate_serial,
        })
    }

    /// The URI that names it, `ipdect://<cluster>/<role>/<node>`.
    #[must_use]
    pub fn uri(&self) -> String {
        uri(&self.cluster_id, self.role, &self.node_id)
    }
}

/// The URI of a node in certificates.
#[must_use]
pub fn uri(cluster_id: &str, role: Role, node_id: &NodeId) -> String {
    format!("ipdect://{cluster_id}/{}/{node_id}", role_name(role))
}

/// The DNS name of a role in certificates, such as `server.ipdect.internal`.
#[must_use]
pub fn dns_name(role: Role) -> String {
    format!("{}.ipdect.internal", role_name(role))
}

/// A serial number without leading zeros: DER adds one where the first bit is set.
#[must_use]
pub fn normal_serial(raw: &[u8]) -> Vec<u8> {
    raw.iter()
        .copied()
        .skip_while(|octet| *octet == 0)
        .collect()
}

fn parse_uri(uri: &str) -> Option<(String, Role, NodeId)> {
    let mut parts = uri.strip_prefix("ipdect://")?.split('/');
    let (cluster, role, node) = (parts.next()?, parts.next()?, parts.next()?);
    if cluster.is_empty() || parts.next().is_some() {
        return None;
    }
    Some((cluster.to_owned(), role_named(role)?, node.parse().ok()?))
}

/// What a caller may do with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Go on.
    Allowed,
    /// No certificate where one is needed: UNAUTHENTICATED.
    Unauthenticated,
    /// The role may not: `PERMISSION_DENIED`.
    Denied,
}

/// Tells whether a caller may use a gRPC method of the link port, such as `/ipdect.radio.v1.Radio/Attach`.
///
/// Whoever has no certificate may only enrol; servers may all; the others what contracts 4 lists.
#[must_use]
pub fn access(caller: Option<Role>, path: &str) -> Access {
    const ENROL: &str = "/ipdect.link.v1.Enrolment/Enrol";
    const RENEW: &str = "/ipdect.link.v1.Enrolment/Renew";
    let Some(role) = caller else {
        return if path == ENROL {
            Access::Allowed
        } else {
            Access::Unauthenticated
        };
    };
    let firmware = path.starts_with("/ipdect.firmware.v1.");
    let allowed = match role {
        Role::Server => true,
        Role::Base => path == "/ipdect.radio.v1.Radio/Attach" || path == RENEW || firmware,
        Role::Media => path == "/ipdect.media.v1.Media/Attach" || path == RENEW || firmware,
        Role::Admin => {
            path.starts_with("/ipdect.cluster.v1.Directory/")
                || path.starts_with("/ipdect.cluster.v1.Live/")
                || path == RENEW
                || firmware
        }
        Role::Host => path == "/ipdect.admin.v1.VirtualHandsets/Attach",
        Role::Unspecified => false,
    };
    // Whoever has a certificate may also enrol anew, as the unit may have been moved.
    if allowed || path == ENROL {
        Access::Allowed
    } else {
        Access::Denied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_call_its_own_services_only() {
        let paths = [
            "/ipdect.radio.v1.Radio/Attach",
            "/ipdect.media.v1.Media/Attach",
            "/ipdect.firmware.v1.Firmware/Stage",
            "/ipdect.cluster.v1.Directory/Apply",
            "/ipdect.cluster.v1.Live/Watch",
            "/ipdect.cluster.v1.Peers/Attach",
            "/ipdect.admin.v1.VirtualHandsets/Attach",
            "/ipdect.link.v1.Enrolment/Renew",
            "/ipdect.link.v1.Enrolment/Enrol",
            "/ipdect.link.v1.Enrolment/Other",
        ];
        for (role, row) in [
            (None, "U U U U U U U U A U"),
            (Some(Role::Base), "A D A D D D D A A D"),
            (Some(Role::Media), "D A A D D D D A A D"),
            (Some(Role::Admin), "D D A A A D D A A D"),
            (Some(Role::Host), "D D D D D D A D A D"),
            (Some(Role::Server), "A A A A A A A A A A"),
            (Some(Role::Unspecified), "D D D D D D D D A D"),
        ] {
            for (path, cell) in paths.iter().zip(row.split(' ')) {
                let wanted = match cell {
                    "A" => Access::Allowed,
                    "U" => Access::Unauthenticated,
                    _ => Access::Denied,
                };
                assert_eq!(access(role, path), wanted, "{role:?} {path}");
            }
        }
    }

    #[test]
    fn uris_have_exactly_three_parts() {
        let node: NodeId = "base-3f9a".parse().unwrap();
        assert_eq!(
            parse_uri("ipdect://c-1/base/base-3f9a"),
            Some(("c-1".into(), Role::Base, node.clone()))
        );
        assert_eq!(uri("c-1", Role::Base, &node), "ipdect://c-1/base/base-3f9a");
        for bad in [
            "ipdect://c/base",
            "ipdect:///base/x",
            "ipdect://c/radio/x",
            "ipdect://c/base/X",
            "ipdect://c/base/x/y",
        ] {
            assert_eq!(parse_uri(bad), None, "{bad}");
        }
    }

    #[test]
    fn garbage_is_no_certificate() {
        assert_eq!(
            PeerIdentity::from_certificate(&[]),
            Err(IdentityError::Unreadable)
        );
        assert_eq!(
            PeerIdentity::from_certificate(&[0x30, 0x82, 0xff]),
            Err(IdentityError::Unreadable)
        );
    }
}
