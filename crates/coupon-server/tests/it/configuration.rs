//! Where settings come from, and how they are shown.

use crate::harness::Scratch;
use serde_json::Value;

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let scratch = Scratch::new();
    let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"from-file\"\n[log]\nfilter = \"warn\"\n";
    std::fs::write(scratch.path().join("firstcome.toml"), file).unwrap();
    let mut command = scratch.command(&[
        "config",
        "show",
        "--json",
        "--config",
        "firstcome.toml",
        "--data-dir",
        "from-flag",
    ]);
    command
        .env("FIRSTCOME_LISTEN", "127.0.0.1:2")
        .env("FIRSTCOME_DATA_DIR", "from-variable");
    let shown: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    for (key, value, source) in [
        ("data_dir", "from-flag", "--data-dir"),
        ("listen", "127.0.0.1:2", "FIRSTCOME_LISTEN"),
        ("log.filter", "warn", "firstcome.toml"),
        ("log.format", "auto", "default"),
    ] {
        assert_eq!(shown[key]["value"], value);
        assert_eq!(shown[key]["source"], source);
    }
}

#[test]
fn secrets_are_masked_wherever_they_come_from() {
    let scratch = Scratch::new();
    let file = format!("jwt_secret = \"{}\"\n", "hush".repeat(10));
    std::fs::write(scratch.path().join("firstcome.toml"), file).unwrap();
    for format in [&["--json"][..], &[]] {
        let mut command = scratch.command(&["config", "show", "--config", "firstcome.toml"]);
        let output = command
            .args(format)
            .env("FIRSTCOME_ADMIN_KEY", "hush".repeat(10))
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(!shown.contains("hush"), "{shown}");
        assert!(
            shown.contains("***") && shown.contains("FIRSTCOME_ADMIN_KEY"),
            "{shown}"
        );
    }
}

#[test]
fn an_unknown_key_in_the_file_is_told_with_its_line() {
    let scratch = Scratch::new();
    std::fs::write(
        scratch.path().join("firstcome.toml"),
        "\n[log]\nformt = \"json\"\n",
    )
    .unwrap();
    let why = scratch.refused(&["serve", "--config", "firstcome.toml"]);
    assert!(
        why.contains("firstcome.toml, line 3") && why.contains("formt"),
        "{why}"
    );
}

#[test]
fn the_shown_settings_are_a_configuration_file() {
    let scratch = Scratch::new();
    let shown = scratch.must(&["config", "show", "--set", "http.loops=3"]);
    let settings: toml::Table = shown.parse().unwrap();
    assert_eq!(settings["http"]["loops"].as_integer(), Some(3));
    assert!(shown.lines().all(|line| line.len() <= 100), "{shown}");
}
