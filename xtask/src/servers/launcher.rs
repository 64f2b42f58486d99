//! Small programs that start unpacked ones through the loader and the libraries they came with.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Where packages of this and of older releases put their libraries.
const LIBRARIES: &[&str] = &["usr/lib", "lib", "usr/lib64", "lib64"];

/// One program of a component.
pub(super) struct Launcher {
    pub(super) name: &'static str,
    /// Below the root.
    pub(super) program: &'static str,
    /// They go first; `ROOT` stands for the root.
    pub(super) options: &'static [&'static str],
}

impl Launcher {
    /// A program that finds what it needs by itself.
    pub(super) const fn plain(name: &'static str, program: &'static str) -> Self {
        let options = &[];
        Self {
            name,
            program,
            options,
        }
    }
}

/// Writes `bin/NAME` for each. They find everything from their own place, so the whole directory may be moved.
pub(super) fn write(home: &Path, component: &str, launchers: &[Launcher]) -> anyhow::Result<()> {
    let libraries = Libraries::find(&home.join(component))?;
    for launcher in launchers {
        let file = home.join("bin").join(launcher.name);
        fs::write(&file, text(component, launcher, &libraries))
            .with_context(|| file.display().to_string())?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&file, mode).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Relative to the root.
struct Libraries {
    loader: PathBuf,
    directories: Vec<PathBuf>,
}

impl Libraries {
    fn find(root: &Path) -> anyhow::Result<Self> {
        let mut loader = None;
        let mut directories = Vec::new();
        for top in LIBRARIES {
            let Ok(entries) = fs::read_dir(root.join(top)) else {
                continue;
            };
            let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            entries.sort();
            // Links lead to absolute places, which are the system's; only files are ours.
            for directory in entries
                .into_iter()
                .filter(|path| path.is_dir() && !path.is_symlink())
            {
                let files = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
                let files: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
                let name = |path: &Path| {
                    path.file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned()
                };
                loader = loader.or_else(|| {
                    let mut files = files.iter();
                    let found = files.find(|path| {
                        name(path).starts_with("ld-linux") && !path.is_symlink() && path.is_file()
                    });
                    found.cloned()
                });
                if files.iter().any(|path| name(path).contains(".so.")) {
                    directories.push(directory);
                }
            }
        }
        let relative = |path: PathBuf| path.strip_prefix(root).map(Path::to_path_buf);
        Ok(Self {
            loader: relative(loader.context("the packages bring no loader")?)?,
            directories: directories.into_iter().map(relative).collect::<Result<_, _>>()?,
        })
    }
}

fn text(component: &str, launcher: &Launcher, libraries: &Libraries) -> String {
    let directories: Vec<String> = libraries
        .directories
        .iter()
        .map(|directory| format!("$root/{}", directory.display()))
        .collect();
    let loader = libraries.loader.display();
    let path = launcher.program;
    let options: String = launcher
        .options
        .iter()
        .map(|option| format!(" \"{}\"", option.replace("ROOT", "$root")))
        .collect();
    // The option that must come first is among those above.
    let shift = if options.contains("--no-defaults") {
        "[ \"$1\" = --no-defaults ] && shift\n"
    } else {
        ""
    };
    format!(
        "#!/bin/sh\n# Written by `cargo xtask servers`.\nroot=${{0%/*}}/../{component}\n{shift}\
         exec \"$root/{loader}\" --library-path \"{}\" \"$root/{path}\"{options} \"$@\"\n",
        directories.join(":")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_finds_everything_from_its_own_place() {
        let libraries = Libraries {
            loader: PathBuf::from("lib/x/ld-linux.so.2"),
            directories: vec![PathBuf::from("usr/lib/x"), PathBuf::from("lib/x")],
        };
        let expected = "#!/bin/sh\n# Written by `cargo xtask servers`.\nroot=${0%/*}/../db\n\
             [ \"$1\" = --no-defaults ] && shift\n\
             exec \"$root/lib/x/ld-linux.so.2\" --library-path \"$root/usr/lib/x:$root/lib/x\" \
             \"$root/usr/sbin/db\" \"--no-defaults\" \"--share=$root/share\" \"$@\"\n";
        let launcher = Launcher {
            name: "db",
            program: "usr/sbin/db",
            options: &["--no-defaults", "--share=ROOT/share"],
        };
        assert_eq!(text("db", &launcher, &libraries), expected);
    }
}
