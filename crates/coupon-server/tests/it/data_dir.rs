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
        ("/proc/firstcome", "must be writable"),
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
    for told in ["writable", "--data-dir", "Permission denied"] {
        assert!(why.contains(told), "{told}: {why}");
    }
}

#[test]
fn a_journal_without_room_says_so_once_and_what_to_do() {
    let scratch = Scratch::new();
    // A process that may write no file of a megabyte; the signal for that is ignored, as the system's error is enough.
    let mut limited = scratch.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--set",
        "journal.segment_mib=1",
    ]);
    let program = limited.get_program().to_owned();
    let arguments: Vec<_> = limited.get_args().map(ToOwned::to_owned).collect();
    let environment: Vec<_> = limited
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
        .collect();
    limited = std::process::Command::new("sh");
    limited
        .args(["-c", "ulimit -f 1200 && trap '' XFSZ && exec \"$0\" \"$@\""])
        .arg(program)
        .args(arguments)
        .current_dir(scratch.path());
    for (name, value) in environment {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let output = limited.output().unwrap();
    let why = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{why}");
    for (told, times) in [
        ("free 2 MiB", 1),
        ("journal.segment_mib", 1),
        ("--data-dir", 1),
        ("no room for the next journal segment", 1),
    ] {
        assert_eq!(why.matches(told).count(), times, "{told}: {why}");
    }
}
