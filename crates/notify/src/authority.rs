//! Authorities that are trusted besides those of the system, as an operator names them.

use lettre::transport::smtp::client::Certificate as MailCertificate;
use reqwest::Certificate;
use std::fmt;

/// Certificates of authorities, as PEM. What they sign is trusted besides what the system trusts.
#[derive(Clone)]
pub struct Authorities {
    pem: Vec<u8>,
    certificates: Vec<Certificate>,
}

/// The text holds no certificate, or one that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must hold one or more certificates in PEM form, BEGIN CERTIFICATE and so on")]
pub struct AuthoritiesError;

impl Authorities {
    /// Reads certificates, at least one.
    ///
    /// # Errors
    ///
    /// If there is none, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let certificates = Certificate::from_pem_bundle(pem).map_err(|_unreadable| AuthoritiesError)?;
        if certificates.is_empty() || MailCertificate::from_pem(pem).is_err() {
            return Err(AuthoritiesError);
        }
        Ok(Self {
            pem: pem.to_vec(),
            certificates,
        })
    }

    /// For the HTTP client.
    pub(crate) fn for_http(&self) -> &[Certificate] {
        &self.certificates
    }

    /// For the mail client.
    pub(crate) fn for_mail(&self) -> Result<MailCertificate, lettre::transport::smtp::Error> {
        MailCertificate::from_pem(&self.pem)
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.certificates.len())
    }
}
