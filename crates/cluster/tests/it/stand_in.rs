//! `.cargo/protoc` hands out a descriptor set made from etcd-client's own `.proto` files. `UPDATE_GEN=1` makes it anew.

use protox::prost::Message as _;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What etcd-client's build script asks for.
const FILES: [&str; 5] = [
    "proto/etcd/api/authpb/auth.proto",
    "proto/etcd/api/etcdserverpb/rpc.proto",
    "proto/etcd/api/mvccpb/kv.proto",
    "proto/etcd/server/etcdserver/api/v3election/v3electionpb/v3election.proto",
    "proto/etcd/server/etcdserver/api/v3lock/v3lockpb/v3lock.proto",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The release of etcd-client in `Cargo.lock`, and where its source lies.
fn etcd_client() -> (String, PathBuf) {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked"])
        // Packages for other systems are not here, and are not asked for.
        .arg(format!(
            "--filter-platform={}-unknown-linux-gnu",
            std::env::consts::ARCH
        ))
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|package| package["name"] == "etcd-client")
        .unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let version = package["version"].as_str().unwrap().to_owned();
    (version, manifest.parent().unwrap().to_owned())
}

fn committed() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(".cargo")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "binpb")
        })
        .collect()
}

#[test]
fn the_descriptor_set_is_made_from_the_release_in_the_lock_file() {
    let (version, source) = etcd_client();
    let name = root().join(format!(".cargo/etcd-client-{version}.binpb"));
    let set = protox::Compiler::new([source.join("proto")])
        .unwrap()
        .include_imports(true)
        .include_source_info(false)
        .open_files(FILES.map(|file| source.join(file)))
        .unwrap()
        .file_descriptor_set()
        .encode_to_vec();
    if std::env::var_os("UPDATE_GEN").is_some() {
        for old in committed() {
            fs::remove_file(old).unwrap();
        }
        fs::write(&name, &set).unwrap();
    }
    let again = "make it anew: UPDATE_GEN=1 cargo test -p ipdect-cluster --test it stand_in";
    assert_eq!(committed(), [name.as_path()], "{again}");
    assert!(fs::read(&name).unwrap() == set, "{again}");
}

fn stand_in(arguments: &[&str]) -> std::process::Output {
    Command::new(root().join(".cargo/protoc"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn it_answers_for_etcd_client_and_for_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let path = out.to_str().unwrap();
    let asked = [
        "--include_imports",
        "-o",
        path,
        "-I",
        "proto",
        "proto/etcd/api/etcdserverpb/rpc.proto",
    ];
    assert!(stand_in(&asked).status.success());
    assert_eq!(fs::read(&out).unwrap(), fs::read(&committed()[0]).unwrap());
    fs::remove_file(&out).unwrap();
    for wrong in [
        &["-o", path, "other.proto"][..],
        &["etcdserverpb/rpc.proto"],
        &["-o"],
    ] {
        let output = stand_in(wrong);
        assert!(!output.status.success() && !out.exists());
        assert!(String::from_utf8_lossy(&output.stderr).contains("protox"));
    }
}
