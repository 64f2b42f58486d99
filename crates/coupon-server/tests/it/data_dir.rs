//! Data directories that must not be used.

use crate::harness::Scratch;

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let scratch = Scratch::new();
    let _server = scratch.serve();
    let why = scratch.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        why.contains("in use by another process") && why.contains("--data-dir"),
        "{why}"
    );
}

#[test]
fn a_directory_of_a_newer_format_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    assert!(scratch.serve().stop().0.success());
    let format = scratch.data_dir().join("format");
    std::fs::write(&format, "2\n").unwrap();
    let why = scratch.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("format 2") && why.contains("newer version"), "{why}");
    std::fs::write(&format, "restoring").unwrap();
    let why = scratch.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(
        why.contains("interrupted") && why.contains("restore again"),
        "{why}"
    );
    std::fs::write(&format, "1\n").unwrap();
    assert!(scratch.serve().stop().0.success());
}

#[test]
fn a_directory_that_cannot_be_is_refused_with_what_to_do() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("documents")).unwrap();
    std::fs::write(scratch.path().join("documents/letter.txt"), "Dear").unwrap();
    for (directory, told) in [
        ("missing/data", "does not exist"),
        ("documents/letter.txt", "is not a directory"),
        ("documents", "holds other files"),
        // Nobody can make a directory there, root included.
        ("/proc/firstcome", "cannot"),
    ] {
        let why = scratch.refused(&["serve", "--listen", "127.0.0.1:0", "--data-dir", directory]);
        assert!(
            why.contains(told) && why.contains("--data-dir"),
            "{directory}: {why}"
        );
    }
    assert_eq!(
        std::fs::read_dir(scratch.path().join("documents"))
            .unwrap()
            .count(),
        1,
        "nothing was touched"
    );
}

#[test]
fn a_directory_that_may_not_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let locked = scratch.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(locked.join("probe"), "").is_ok() {
        // Permissions do not bind root; `/proc` above stands in for it.
        std::fs::remove_file(locked.join("probe")).unwrap();
        return;
    }
    let why = scratch.refused(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "locked"]);
    assert!(why.contains("writable") && why.contains("--data-dir"), "{why}");
}
