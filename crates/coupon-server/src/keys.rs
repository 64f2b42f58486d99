//! The secrets that a server starts with: the first administrator's key, the tokens' secret, and the seed of keys.

use crate::config::{Settings, TokenAlgorithm};
use crate::data_dir::DataDir;
use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

const ADMIN_KEY_FILE: &str = "admin-key";
const JWT_SECRET_FILE: &str = "jwt-secret";
const KEY_SEED_FILE: &str = "key-seed";

/// What a server starts with.
pub(crate) struct Keys {
    /// The administrator's key.
    pub(crate) admin: SecretString,
    /// What users' tokens are signed with.
    pub(crate) jwt: SecretString,
    /// What the secrets of API keys are derived from, so that a repeated request gets the same key, on every server.
    pub(crate) seed: [u8; 32],
    /// Whether the administrator's key was made just now: nobody knows it, and it is kept nowhere yet.
    pub(crate) admin_is_new: bool,
}

impl Keys {
    /// Those that are set, else those that are kept, else new ones, kept from now on. Only a new key of the
    /// administrator is left to [`Keys::keep_admin`]: a start that fails must not use up the one time that it is shown.
    pub(crate) fn find_or_make(settings: &Settings, directory: &DataDir) -> anyhow::Result<Self> {
        let known = match settings.admin_key.get() {
            Some(set) => Some(set),
            None => kept(directory, ADMIN_KEY_FILE)?,
        };
        let admin_is_new = known.is_none();
        let admin = known.map_or_else(|| random_key().map(SecretString::from), Ok)?;
        let jwt = find_or_make(settings.jwt_secret.get(), directory, JWT_SECRET_FILE, random_key)?;
        let seed = match settings.key_seed.get() {
            Some(seed) => seed_of(&seed),
            None => {
                let seed = find_or_make(None, directory, KEY_SEED_FILE, random_key)?;
                from_hex(seed.expose_secret()).with_context(|| {
                    format!("{KEY_SEED_FILE} is damaged; remove it to have a new one made")
                })?
            }
        };
        Ok(Self {
            admin,
            jwt,
            seed,
            admin_is_new,
        })
    }

    /// Keeps the administrator's key if it is new.
    pub(crate) fn keep_admin(&self, settings: &Settings) -> anyhow::Result<()> {
        if !self.admin_is_new {
            return Ok(());
        }
        let directory = DataDir::open(&settings.data_dir)?;
        directory.write(ADMIN_KEY_FILE, &format!("{}\n", self.admin.expose_secret()))
    }

    /// Those of one of many servers: all set, because every server must have the same.
    pub(crate) fn of_many(settings: &Settings) -> anyhow::Result<Self> {
        let by_secret = settings.tokens.algorithm == TokenAlgorithm::Hs256;
        let needed = [
            ("FIRSTCOME_ADMIN_KEY", settings.admin_key.get(), true),
            ("FIRSTCOME_JWT_SECRET", settings.jwt_secret.get(), by_secret),
            ("FIRSTCOME_KEY_SEED", settings.key_seed.get(), true),
        ];
        let missing: Vec<&str> = needed
            .iter()
            .filter(|(_, secret, needed)| *needed && secret.is_none())
            .map(|(name, _, _)| *name)
            .collect();
        if !missing.is_empty() {
            bail!(
                "database.url makes this one of many servers, which keep no secrets of their own: set {} (or the same \
                 with _FILE, naming a file) to the same values on every server, each made once with `openssl rand \
                 -hex 32`",
                missing.join(", ")
            );
        }
        let [(_, admin, _), (_, jwt, _), (_, seed, _)] = needed;
        Ok(Self {
            admin: admin.unwrap_or_default(),
            jwt: jwt.unwrap_or_default(),
            seed: seed.as_ref().map_or([0; 32], seed_of),
            admin_is_new: false,
        })
    }
}

/// The administrator's key for a command: given, set, or kept in the data directory.
pub(crate) fn admin_key(given: Option<&str>, settings: &Settings) -> anyhow::Result<SecretString> {
    if let Some(given) = given {
        return Ok(given.to_owned().into());
    }
    find(settings.admin_key.get(), settings, ADMIN_KEY_FILE)?.with_context(|| {
        format!(
            "no administrator's key: there is none in {}; give --key or FIRSTCOME_ADMIN_KEY, or name the \
             server's data directory with --data-dir",
            settings.data_dir.display()
        )
    })
}

/// The tokens' secret for a command: set, or kept in the data directory.
pub(crate) fn jwt_secret(settings: &Settings) -> anyhow::Result<SecretString> {
    find(settings.jwt_secret.get(), settings, JWT_SECRET_FILE)?.with_context(|| {
        format!(
            "no secret to sign with: there is none in {}; set FIRSTCOME_JWT_SECRET, or name the server's data \
             directory with --data-dir",
            settings.data_dir.display()
        )
    })
}

fn find(set: Option<SecretString>, settings: &Settings, name: &str) -> anyhow::Result<Option<SecretString>> {
    match set {
        Some(secret) => Ok(Some(secret)),
        None if !settings.data_dir.is_dir() => Ok(None),
        None => kept(&DataDir::open(&settings.data_dir)?, name),
    }
}

fn find_or_make(
    set: Option<SecretString>,
    directory: &DataDir,
    name: &str,
    make: fn() -> anyhow::Result<String>,
) -> anyhow::Result<SecretString> {
    if let Some(secret) = set {
        return Ok(secret);
    }
    if let Some(secret) = kept(directory, name)? {
        return Ok(secret);
    }
    let made = make()?;
    directory.write(name, &format!("{made}\n"))?;
    Ok(made.into())
}

fn kept(directory: &DataDir, name: &str) -> anyhow::Result<Option<SecretString>> {
    let Some(text) = directory.read(name)? else {
        return Ok(None);
    };
    let secret = SecretString::from(text);
    if secret.expose_secret().len() < 32 {
        bail!(
            "{} is too short to be the secret that was kept there; restore it, or remove it to have a new one made",
            directory.path().join(name).display()
        );
    }
    Ok(Some(secret))
}

/// 256 random bits in hexadecimal.
pub(crate) fn random_key() -> anyhow::Result<String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The seed that a secret text stands for, whatever it is made of.
fn seed_of(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}

/// The bytes that 64 hexadecimal digits stand for.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0u8; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
