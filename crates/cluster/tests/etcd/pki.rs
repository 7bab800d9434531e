//! An authority, certificates for etcd and for us, and those of a stranger.

use crate::kit::address;
use ipdect_cluster::etcd::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use std::fs;
use std::net::Ipv4Addr;
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) struct Pki {
    folder: TempDir,
    ours: Authority,
    strange: Authority,
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Certificate and key, for both ends of a connection.
    fn issue(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        // Members dial one another from the plain loopback address, and look whether the certificate names it.
        params.subject_alt_names = [address(), Ipv4Addr::LOCALHOST]
            .map(|ip| SanType::IpAddress(ip.into()))
            .to_vec();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (
            certificate.pem().into_bytes(),
            key.serialize_pem().into_bytes(),
        )
    }
}

impl Pki {
    pub(crate) fn new() -> Pki {
        let folder = tempfile::tempdir().unwrap();
        let (ours, strange) = (Authority::new("ours"), Authority::new("strange"));
        let (certificate, key) = ours.issue("etcd");
        fs::write(folder.path().join("ca.pem"), ours.0.pem()).unwrap();
        fs::write(folder.path().join("etcd.pem"), certificate).unwrap();
        fs::write(folder.path().join("etcd.key"), key).unwrap();
        let (certificate, key) = ours.issue("operator");
        fs::write(folder.path().join("operator.pem"), certificate).unwrap();
        fs::write(folder.path().join("operator.key"), key).unwrap();
        Pki {
            folder,
            ours,
            strange,
        }
    }

    /// Certificates between members, and wanted from clients.
    pub(crate) fn etcd_arguments(&self) -> Vec<String> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut arguments = Vec::new();
        for side in ["", "peer-"] {
            arguments.push(format!("--{side}trusted-ca-file={}", file("ca.pem")));
            arguments.push(format!("--{side}cert-file={}", file("etcd.pem")));
            arguments.push(format!("--{side}key-file={}", file("etcd.key")));
            arguments.push(format!("--{side}client-cert-auth"));
        }
        arguments
    }

    /// What etcdctl needs.
    pub(crate) fn etcdctl_arguments(&self) -> [String; 3] {
        [
            ("cacert", "ca.pem"),
            ("cert", "operator.pem"),
            ("key", "operator.key"),
        ]
        .map(|(name, file)| format!("--{name}={}", self.folder.path().join(file).display()))
    }

    fn tls(&self, trusts: &Authority, identity: Option<&Authority>) -> Tls {
        Tls {
            ca: trusts.0.pem().into_bytes(),
            identity: identity.map(|authority| {
                let (certificate, key) = authority.issue("server-1");
                (certificate, Zeroizing::new(key))
            }),
        }
    }

    /// As it should be.
    pub(crate) fn client(&self) -> Tls {
        self.tls(&self.ours, Some(&self.ours))
    }

    /// No certificate of our own.
    pub(crate) fn nobody(&self) -> Tls {
        self.tls(&self.ours, None)
    }

    /// A certificate that somebody else signed.
    pub(crate) fn stranger(&self) -> Tls {
        self.tls(&self.ours, Some(&self.strange))
    }

    /// Trust in somebody else.
    pub(crate) fn mistaken(&self) -> Tls {
        self.tls(&self.strange, Some(&self.ours))
    }
}
