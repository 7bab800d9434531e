//! Compares the committed generated code with its source; `UPDATE_GEN=1` writes it anew.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use protox::prost::Message as _;

/// All contracts, in the order in which they build on one another.
const FILES: [&str; 10] = [
    "ipdect/link/v1/path.proto",
    "ipdect/link/v1/link.proto",
    "ipdect/radio/v1/radio.proto",
    "ipdect/media/v1/media.proto",
    "ipdect/firmware/v1/firmware.proto",
    "ipdect/admin/v1/resources.proto",
    "ipdect/admin/v1/settings.proto",
    "ipdect/admin/v1/admin.proto",
    "ipdect/cluster/v1/cluster.proto",
    "ipdect/cluster/v1/rows.proto",
];

/// Messages that hold secrets: their `Debug` is written by hand in `src/redacted.rs`.
const SECRET: [&str; 13] = [
    ".ipdect.link.v1.EnrolRequest",
    ".ipdect.link.v1.EnrolResponse",
    ".ipdect.link.v1.PathSrtp",
    ".ipdect.media.v1.LegSrtp",
    ".ipdect.media.v1.IceDescription",
    ".ipdect.radio.v1.SetCipherKey",
    ".ipdect.admin.v1.LoginRequest",
    ".ipdect.admin.v1.LoginResponse",
    ".ipdect.admin.v1.ChangePasswordRequest",
    ".ipdect.admin.v1.CreateTokenResponse",
    ".ipdect.admin.v1.User",
    ".ipdect.admin.v1.Account",
    ".ipdect.admin.v1.DectSettings",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Makes generated code and descriptor set from the sources: file name to content.
fn generate() -> BTreeMap<String, Vec<u8>> {
    let files = FILES.map(|file| root().join(file));
    let set = protox::compile(files, [root()]).expect("the contracts compile");
    let out = std::env::temp_dir().join(format!("ipdect-proto-gen-{}", std::process::id()));
    fs::create_dir_all(&out).expect("temporary folder");
    tonic_prost_build::configure()
        .bytes(".")
        .skip_debug(SECRET)
        .out_dir(&out)
        .compile_fds(set.clone())
        .expect("the contracts generate");
    let mut made = read_folder(&out);
    fs::remove_dir_all(&out).expect("temporary folder goes");
    made.insert("descriptor.bin".into(), set.encode_to_vec());
    made
}

fn read_folder(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .expect("folder")
        .map(|entry| entry.expect("entry"))
        .map(|entry| {
            let name = entry.file_name().into_string().expect("plain name");
            (name, fs::read(entry.path()).expect("readable"))
        })
        .collect()
}

#[test]
fn committed_code_is_what_the_contracts_say() {
    let made = generate();
    let folder = root().join("src/gen");
    if std::env::var_os("UPDATE_GEN").is_some() {
        for (name, content) in &made {
            fs::write(folder.join(name), content).expect("writable");
        }
    }
    let committed = read_folder(&folder);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&made),
        names(&committed),
        "other files; run with UPDATE_GEN=1"
    );
    for (name, content) in made {
        assert!(
            committed[&name] == content,
            "{name} is stale; run with UPDATE_GEN=1"
        );
    }
}
