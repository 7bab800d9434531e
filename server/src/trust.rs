//! What the cluster's trust stands on: the sealing key, the certificate authority, and this server's own certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use ipdect_cluster::seal::SecretKey;
use ipdect_cluster::{Key, Store, StoreError, Txn};
use ipdect_link::pki::ca::{CertificateAuthority, Subject};
use ipdect_link::pki::credentials::{Credentials, write_secret};
use ipdect_link::role::{NodeId, Role};
use ipdect_node::{Random, StartError};
use ipdect_proto::cluster::v1 as rows;
use prost::Message as _;

use crate::directory::Unseal;
use crate::directory::plan::Seal;

/// Everything about trust that a running server holds.
pub struct Trust {
    /// UUID of the cluster.
    pub cluster_id: String,
    /// UUID of the store.
    pub store_id: String,
    /// The authority that signs devices' certificates.
    pub authority: Arc<CertificateAuthority>,
    /// The sealing key.
    pub key: SecretKey,
    /// This server's certificate.
    pub credentials: Credentials,
    /// Whether the store was empty.
    pub is_new: bool,
}

/// Seals and opens with the sealing key.
pub struct Sealer {
    key: SecretKey,
    random: Random,
}

impl Sealer {
    /// A sealer with this key.
    #[must_use]
    pub fn new(key: SecretKey, random: Random) -> Self {
        Self { key, random }
    }
}

impl Seal for Sealer {
    fn seal(&self, key: &str, secret: &[u8]) -> Bytes {
        self.key
            .seal(self.random.generator().as_mut(), key, secret)
            .into()
    }
}

impl Unseal for Sealer {
    fn open(&self, key: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        match self.key.open(key, sealed) {
            Ok(secret) => Some(secret.to_vec()),
            Err(error) => {
                tracing::error!(key, %error, "a secret cannot be opened");
                None
            }
        }
    }
}

/// Reads or makes key, authority and certificate. `folder` is the server's data directory.
///
/// # Errors
/// [`StartError`] that says which file is wrong and what to do.
pub async fn establish(
    store: &dyn Store,
    folder: &Path,
    node: &NodeId,
    random: &Random,
    now: SystemTime,
) -> Result<Trust, StartError> {
    let stored = store
        .get(&Key::Cluster.to_string())
        .await
        .map_err(|e| store_error(&e))?;
    let is_new = stored.is_none();
    let key = secret_key(&folder.join("secret.key"), is_new, random)?;
    if is_new {
        make_cluster(store, &key, random, now).await?;
    }
    let cluster: rows::ClusterRow = read(store, Key::Cluster).await?;
    let store_row: rows::StoreRow = read(store, Key::StoreId).await?;
    let authority = Arc::new(read_authority(store, &key).await?);
    let credentials = own_credentials(folder, &authority, &cluster.cluster_id, node, random, now)?;
    Ok(Trust {
        cluster_id: cluster.cluster_id,
        store_id: store_row.store_id,
        authority,
        key,
        credentials,
        is_new,
    })
}

fn secret_key(path: &Path, is_new: bool, random: &Random) -> Result<SecretKey, StartError> {
    if path.exists() {
        return SecretKey::load(path)
            .map_err(|e| other(e.to_string(), "see that the file is as the server made it"));
    }
    if !is_new {
        let what = format!(
            "{} is missing, but the store has secrets sealed with it",
            path.display()
        );
        return Err(other(
            what,
            "put it back from a backup; without it passwords and subscriptions are lost",
        ));
    }
    let key = SecretKey::random(random.generator().as_mut());
    key.create(path).map_err(|e| {
        other(
            e.to_string(),
            "make the data directory writable for this user",
        )
    })?;
    Ok(key)
}

async fn make_cluster(
    store: &dyn Store,
    key: &SecretKey,
    random: &Random,
    now: SystemTime,
) -> Result<(), StartError> {
    let mut generator = random.generator();
    let mut id = || {
        let mut octets = [0; 16];
        generator.fill_bytes(&mut octets);
        uuid::Builder::from_random_bytes(octets)
            .into_uuid()
            .to_string()
    };
    let (cluster_id, store_id) = (id(), id());
    let authority = CertificateAuthority::make(&cluster_id, now)
        .map_err(|e| other(e.to_string(), "report this: a key could not be made"))?;
    let sealed = key.seal(
        random.generator().as_mut(),
        &Key::CaKey.to_string(),
        &authority.key_pkcs8(),
    );
    let cluster = rows::ClusterRow {
        cluster_id,
        created_utc_ms: crate::live::ms(now),
        shard_count: u32::from(ipdect_dect::identity::SHARDS),
        shard_hash: 1,
    };
    let txn = Txn::new()
        .if_absent(Key::Cluster)
        .put(Key::Cluster, cluster.encode_to_vec())
        .put(Key::StoreId, rows::StoreRow { store_id }.encode_to_vec())
        .put(
            Key::Ca,
            rows::CaRow {
                certificate: authority.certificate().to_vec().into(),
            }
            .encode_to_vec(),
        )
        .put(
            Key::CaKey,
            rows::CaKeyRow {
                sealed_key: sealed.into(),
            }
            .encode_to_vec(),
        );
    store.txn(txn).await.map_err(|e| store_error(&e))?;
    Ok(())
}

async fn read<T: prost::Message + Default>(store: &dyn Store, key: Key) -> Result<T, StartError> {
    let name = key.to_string();
    let row = store.get(&name).await.map_err(|e| store_error(&e))?;
    let row = row.ok_or_else(|| {
        other(
            format!("row {name} is missing"),
            "restore the store from a backup",
        )
    })?;
    T::decode(row.value).map_err(|e| {
        other(
            format!("row {name}: {e}"),
            "restore the store from a backup",
        )
    })
}

async fn read_authority(
    store: &dyn Store,
    key: &SecretKey,
) -> Result<CertificateAuthority, StartError> {
    let ca: rows::CaRow = read(store, Key::Ca).await?;
    let sealed: rows::CaKeyRow = read(store, Key::CaKey).await?;
    let opened = key
        .open(&Key::CaKey.to_string(), &sealed.sealed_key)
        .map_err(|e| other(e.to_string(), "put the secret.key of this store back"))?;
    CertificateAuthority::from_parts(&ca.certificate, &opened)
        .map_err(|e| other(e.to_string(), "restore the store from a backup"))
}

fn own_credentials(
    folder: &Path,
    authority: &CertificateAuthority,
    cluster_id: &str,
    node: &NodeId,
    random: &Random,
    now: SystemTime,
) -> Result<Credentials, StartError> {
    let pki: PathBuf = folder.join("pki");
    let failed = |e: ipdect_link::pki::PkiError| {
        other(
            e.to_string(),
            "see the files in the folder pki of the data directory",
        )
    };
    if let Some(found) = Credentials::load(&pki).map_err(failed)? {
        let good = found.identity.cluster_id == cluster_id
            && found.identity.node_id == *node
            && found.ca == *authority.certificate()
            && found.renew_at() > now;
        if good {
            return Ok(found);
        }
    }
    let subject = Subject {
        cluster_id: cluster_id.into(),
        role: Role::Server,
        node_id: node.clone(),
    };
    let made = Credentials::issue(authority, &subject, now, random.generator().as_mut())
        .map_err(failed)?;
    made.store(&pki).map_err(failed)?;
    Ok(made)
}

/// Writes a token for the operator to read, in a file of his own.
///
/// # Errors
/// [`StartError::File`] if it cannot be written.
pub fn write_token(path: &Path, text: &str) -> Result<(), StartError> {
    write_secret(path, format!("{text}\n").as_bytes()).map_err(|e| {
        other(
            e.to_string(),
            "make the data directory writable for this user",
        )
    })
}

pub(crate) fn store_error(error: &StoreError) -> StartError {
    not_kept(error.to_string())
}

/// The store did not take or give something, for the reason told.
pub(crate) fn not_kept(what: String) -> StartError {
    StartError::Store {
        what,
        remedy: "see what is said of it".into(),
    }
}

/// A failure with its remedy.
pub(crate) fn other(what: String, remedy: &str) -> StartError {
    StartError::Other {
        what,
        remedy: remedy.into(),
    }
}
