//! The product's executable, built as users build it.

use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository that this program was built from.
pub(crate) fn repository() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates
        .and_then(Path::parent)
        .map_or_else(PathBuf::new, Path::to_owned)
}

/// `firstcome` beside this program, built if it is missing or older than its sources.
pub(crate) fn product_executable() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let beside = own.parent().context("this program is nowhere")?;
    if beside.file_name().is_none_or(|name| name != "release") {
        bail!("this is not a release build; measure with `cargo xtask bench`");
    }
    let target = beside
        .parent()
        .context("this program is in no target directory")?;
    eprintln!("building the server, if it has changed");
    let built = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "coupon-server",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(repository())
        .status()
        .context("cannot run cargo; name a server with --product")?;
    if !built.success() {
        bail!("the server does not build");
    }
    Ok(beside.join("firstcome"))
}
