//! Libraries of Java's through Maven, with a repository of our own that is removed afterwards.
//!
//! Where they come from is Maven's default or what the user's settings say.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::terminal::Terminal;

use super::component::remove;
use super::told::told;

/// Puts the libraries of a pom into `libs/` of a directory. Answers with the name of the one that begins so.
pub(super) fn fetch(
    pom: &str,
    main: &str,
    home: &Path,
    root: &Path,
    terminal: &Terminal,
) -> anyhow::Result<String> {
    // What Maven needs, the servers need as well, and it says so better than Maven does.
    let mut java = Command::new("java");
    java.arg("-version");
    told(java, "java -version")?;
    fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    let file = root.join("pom.xml");
    fs::write(&file, pom).context("pom.xml")?;
    terminal.say(format_args!("      maven: {main}*.jar and what it depends on"));
    let repository = home.join("maven");
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "--quiet", "--file"])
        .arg(&file)
        .arg(format!("-Dmaven.repo.local={}", repository.display()))
        .arg("dependency:copy-dependencies")
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", root.join("libs").display()));
    told(maven, "mvn dependency:copy-dependencies")?;
    remove(&repository)?;
    let jars = fs::read_dir(root.join("libs")).context("what Maven has copied")?;
    let mut names = jars
        .flatten()
        .map(|jar| jar.file_name().to_string_lossy().into_owned());
    names
        .find(|name| name.starts_with(main))
        .with_context(|| format!("Maven brought no {main}*.jar"))
}
