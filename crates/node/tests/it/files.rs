//! Lock, run file, PEM files.

use ipdect_node::run_file::{Lock, RunFile, write_whole};
use ipdect_node::{Running, StartError, tls};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_second_start_names_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    let lock = Lock::take(&data).unwrap();
    assert_eq!(
        fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let second = Lock::take(&data).unwrap_err();
    let own = std::process::id().to_string();
    assert!(
        matches!(&second, StartError::Locked { holder, .. } if *holder == own),
        "{second:?}"
    );
    assert!(
        second
            .to_string()
            .contains(&format!("in use by process {own}; stop it")),
        "{second}"
    );
    drop(lock);
    Lock::take(&data).unwrap();
}

#[test]
fn a_data_directory_that_cannot_be_made_names_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Lock::take(&file.join("data")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("set node.data_dir to a directory"),
        "{error}"
    );
}

#[test]
fn the_run_file_tells_addresses_and_goes_with_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let address: SocketAddr = "127.0.0.1:7460".parse().unwrap();
    let (running, _control) = Running::new("server", [("link.listen", address)]);
    let file = RunFile::write(dir.path(), "PCS16_", &running).unwrap();
    let path = file.path().to_owned();
    assert_eq!(path, dir.path().join("run/server.json"));
    let found: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let wanted = serde_json::json!({
        "program": "server", "pid": std::process::id(), "release": "PCS16_",
        "addresses": { "link.listen": "127.0.0.1:7460" },
    });
    assert_eq!(found, wanted);
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    write_whole(&path, b"one", 0o600).unwrap();
    write_whole(&path, b"two", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::create_dir(dir.path().join("d")).unwrap();
    write_whole(&dir.path().join("d"), b"x", 0o600).unwrap_err();
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        2,
        "nothing is left beside"
    );
}

#[test]
fn pem_files_say_what_they_lack() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.pem");
    let told = |result: Result<(), StartError>| result.unwrap_err().to_string();
    assert!(told(tls::certificates(&path).map(drop)).contains("make it readable"));
    fs::write(&path, "nothing\n").unwrap();
    assert!(
        told(tls::certificates(&path).map(drop))
            .contains("no certificate in it; put a PEM file there")
    );
    assert!(told(tls::private_key(&path).map(drop)).contains("no private key in it"));
    fs::write(
        &path,
        "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert_eq!(tls::certificates(&path).unwrap()[0].as_ref(), [0, 1, 2]);
    fs::write(
        &path,
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    tls::certificates(&path).unwrap_err();
    fs::write(
        &path,
        "-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    tls::private_key(&path).unwrap();
}
