//! A child process that is no server: what is said when it ends, and when it only sits there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use coupon_rehearsal::{ServerProcess, ServerProcessError, ServerProcessPlan, free_port};

fn script(directory: &Path, body: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = directory.join("server.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn plan(directory: &Path, executable: PathBuf) -> ServerProcessPlan {
    ServerProcessPlan {
        executable,
        data_dir: directory.join("data"),
        port: free_port().unwrap(),
        admin_key: "hush".to_owned(),
        arguments: Vec::new(),
        log: directory.join("server.log"),
        ready_within: Duration::from_millis(300),
    }
}

#[tokio::test]
async fn a_child_that_ends_at_once_is_an_error_with_its_last_words() {
    let directory = tempfile::tempdir().unwrap();
    let executable = script(
        directory.path(),
        "echo \"no disk for $4 $5 ($FIRSTCOME_ADMIN_KEY)\"; exit 3",
    );
    let plan = plan(directory.path(), executable);
    assert!(!format!("{plan:?}").contains("hush"));
    let error = ServerProcess::start(plan).await.unwrap_err();
    assert!(
        matches!(&error, ServerProcessError::Ended { log, .. } if log.contains("no disk for --data-dir")),
        "{error}"
    );
    assert!(error.to_string().contains("exit status: 3"), "{error}");
}

#[tokio::test]
async fn a_child_that_never_gets_ready_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let executable = script(directory.path(), "exec sleep 60");
    let error = ServerProcess::start(plan(directory.path(), executable))
        .await
        .unwrap_err();
    assert!(matches!(error, ServerProcessError::NotReady { .. }), "{error}");
}
