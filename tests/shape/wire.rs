//! Contracts keep their place, their version and their baseline.

use crate::repository::{files, root, shown, text};

#[test]
fn a_contracts_package_is_its_folder_and_says_its_version() {
    let contracts = files("proto/ipdect", ".proto");
    assert!(
        contracts.len() >= 6,
        "only {} contracts were read",
        contracts.len()
    );
    let mut wrong = Vec::new();
    for file in contracts {
        let name = shown(&file);
        let folder = name
            .trim_start_matches("proto/")
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .replace('/', ".");
        let source = text(&file);
        let package = source
            .lines()
            .find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'));
        if package != Some(folder.as_str()) {
            wrong.push(format!("{name}: package {package:?} lies in {folder}"));
        }
        let version = folder
            .rsplit('.')
            .next()
            .and_then(|last| last.strip_prefix('v')?.parse::<u32>().ok());
        if version.is_none_or(|version| version == 0) {
            wrong.push(format!("{name}: {folder} does not end in a version"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_a_contract_imports_is_there() {
    let mut wrong = Vec::new();
    for file in files("proto/ipdect", ".proto") {
        let name = shown(&file);
        for line in text(&file)
            .lines()
            .filter(|line| line.starts_with("import "))
        {
            let import = line
                .trim_start_matches("import ")
                .trim_matches(|c| c == '"' || c == ';');
            if !import.starts_with("google/") && !root().join("proto").join(import).is_file() {
                wrong.push(format!("{name} imports {import}, which is not there"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Until the first tagged release there is nothing to compare with, and the folder says so; afterwards only sets lie in it.
#[test]
fn the_baseline_says_how_it_is_kept() {
    let readme = text(&root().join("proto/baseline/README.md"));
    for promise in ["descriptor set", "never edited", "first tagged release"] {
        assert!(
            readme.contains(promise),
            "proto/baseline/README.md does not say: {promise}"
        );
    }
    let strange: Vec<String> = files("proto/baseline", "")
        .iter()
        .map(|f| shown(f))
        .filter(|f| !f.ends_with("README.md") && !f.ends_with(".binpb"))
        .collect();
    assert_eq!(strange, Vec::<String>::new());
}

/// Each contract is generated and committed; `proto`'s own test compares the two octet by octet.
#[test]
fn every_package_has_its_generated_code() {
    let generated: Vec<String> = files("proto/src/gen", ".rs")
        .iter()
        .map(|f| shown(f))
        .collect();
    let mut packages: Vec<String> = files("proto/ipdect", ".proto")
        .iter()
        .filter_map(|f| {
            text(f).lines().find_map(|line| {
                Some(
                    line.strip_prefix("package ")?
                        .strip_suffix(';')?
                        .to_string(),
                )
            })
        })
        .collect();
    packages.dedup();
    for package in packages {
        let wanted = format!("proto/src/gen/{package}.rs");
        assert!(
            generated.contains(&wanted),
            "{wanted} is not among {generated:?}"
        );
    }
}
