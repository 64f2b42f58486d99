//! What a server says on standard output when it is ready.

use crate::keys::Keys;
use crate::terminal;
use ledger_journal::Recovery;
use secrecy::ExposeSecret as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

/// Says the administrator's key, the only time that anybody sees it. Scripts and people find it here; logs, which go
/// elsewhere, never hold it.
pub(crate) fn say_new_key(keys: &Keys, data_dir: &Path) -> io::Result<()> {
    if !keys.admin_is_new {
        return Ok(());
    }
    terminal::say(&format!(
        "This is the first start, so an administrator's key was made. It is shown this once\n\
         and kept in {}:\n\n    {}\n\n",
        data_dir.join("admin-key").display(),
        keys.admin.expose_secret()
    ))
}

/// Says where the server listens, and to people also what to do next.
pub(crate) fn say_ready(url: &str, data_dir: &Path, recovery: &Recovery) -> io::Result<()> {
    if recovery.last_seq > 0 {
        terminal::say_line(format!("recovered: {recovery}"))?;
    }
    say_listening(url)?;
    if !io::stdout().is_terminal() {
        return Ok(());
    }
    let directory = data_dir.display();
    let key = if data_dir.join("admin-key").exists() {
        format!("$(cat {directory}/admin-key)")
    } else {
        "$FIRSTCOME_ADMIN_KEY".to_owned()
    };
    terminal::say(&format!(
        "
  data          {directory}
  documentation {url}/docs
  선착순 쿠폰 서비스가 준비되었습니다. 문서: {url}/docs

  Create a coupon (쿠폰 만들기):

    curl -X POST {url}/v1/admin/coupons -H \"Authorization: Bearer {key}\" \\
      -H 'Content-Type: application/json' -d '{{\"name\": \"Grand opening\", \"quantity\": 100,
          \"opensAt\": \"2026-01-01T00:00:00Z\", \"closesAt\": \"2099-01-01T00:00:00Z\", \"validFor\": \"P30D\"}}'

  or: firstcome coupon create --help        Stop with Ctrl+C.

"
    ))
}

/// Says where a process listens.
pub(crate) fn say_listening(url: &str) -> io::Result<()> {
    // The one line that scripts and tests wait for: its wording is part of the interface.
    terminal::say_line(format!("listening on {url}"))
}
