//! Files with authorities to trust.

use anyhow::Context as _;
use notify::Authorities;
use std::fs;
use std::path::Path;

/// What a file of authorities holds; `None` where none is named.
pub(crate) fn authorities(file: &Path) -> anyhow::Result<Option<Authorities>> {
    if file == Path::new("") {
        return Ok(None);
    }
    let pem = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let authorities = Authorities::from_pem(&pem).with_context(|| file.display().to_string());
    authorities.map(Some)
}
