//! Encrypted connections to servers whose certificate an authority of the test's own has signed.

use crate::mail;
use crate::scene::{attempt, codes, patience, told};
use crate::webhooks;
use coupon_app::memory::MemoryAddresses;
use coupon_app::{Channel as _, ChannelOutcome, News, WebhookKinds};
use coupon_testkit::{HttpReceiver, MailServer};
use notify::{
    Authorities, AuthoritiesError, ContactLookup, ContactLookupOptions, MailOptions, MailSecurity,
    WebhookChannel,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// An authority, and a server's certificate for `127.0.0.1` that it has signed.
struct Pki {
    authority: String,
    acceptor: TlsAcceptor,
}

impl Pki {
    fn new() -> Self {
        Self::of("127.0.0.1")
    }

    /// With a certificate for this name.
    fn of(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let authority = certificate.pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let of_the_server = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let signed = of_the_server.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = vec![CertificateDer::from(signed.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self {
            authority,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn authorities(&self) -> Authorities {
        Authorities::from_pem(self.authority.as_bytes()).unwrap()
    }
}

/// How a gate comes to TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    FromTheFirstByte,
    StartTls,
    /// What a third party has put behind the consent comes unencrypted.
    StartTlsWithSomethingBehind,
}

/// Takes encrypted connections and passes them on in the clear. Ends when dropped.
struct Gate {
    port: u16,
    task: JoinHandle<()>,
}

impl Gate {
    async fn before(port: u16, acceptor: &TlsAcceptor, way: Way) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let acceptor = acceptor.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                // A client that goes away is what some tests are about.
                tokio::spawn(async move { pass(client, port, acceptor, way).await.ok() });
            }
        });
        Self { port: own, task }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, port: u16, acceptor: TlsAcceptor, way: Way) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    if way == Way::FromTheFirstByte {
        let mut client = acceptor.accept(client).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let mut server = BufReader::new(server);
    let mut line = String::new();
    server.read_line(&mut line).await?;
    let mut client = BufReader::new(client);
    client.write_all(line.as_bytes()).await?;
    loop {
        line.clear();
        if client.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        match line.trim_end() {
            "STARTTLS" => break,
            command if command.starts_with("EHLO") => {
                client.write_all(b"250-gate\r\n250 STARTTLS\r\n").await?
            }
            _other => return Ok(()),
        }
    }
    let consent: &[u8] = match way {
        Way::StartTlsWithSomethingBehind => b"220 go on\r\n250 injected\r\n",
        Way::FromTheFirstByte | Way::StartTls => b"220 go on\r\n",
    };
    client.write_all(consent).await?;
    let mut client = acceptor.accept(client.into_inner()).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn mail_by(security: MailSecurity, authorities: Option<Authorities>, port: u16) -> MailOptions {
    MailOptions {
        security,
        authorities,
        answer_within: Duration::from_secs(5),
        ..mail::options(port)
    }
}

async fn mailed(options: MailOptions) -> ChannelOutcome {
    let channel = mail::to_kim(options).await;
    channel.deliver(&attempt(told(News::Issued), "holder")).await
}

#[tokio::test]
async fn mail_is_handed_in_by_both_kinds_of_tls_to_whom_an_authority_of_ours_vouches_for() {
    let (pki, stranger, other_name) = (Pki::new(), Pki::new(), Pki::of("mail.example"));
    for (security, way) in [
        (MailSecurity::Tls, Way::FromTheFirstByte),
        (MailSecurity::StartTls, Way::StartTls),
    ] {
        let server = MailServer::start().unwrap();
        let gate = Gate::before(server.port(), &pki.acceptor, way).await;
        for untrusted in [None, Some(stranger.authorities())] {
            let outcome = mailed(mail_by(security, untrusted, gate.port)).await;
            assert!(
                matches!(outcome, ChannelOutcome::RetryLater { .. }),
                "{security:?}: {outcome:?}"
            );
        }
        let misnamed = Gate::before(server.port(), &other_name.acceptor, way).await;
        let outcome = mailed(mail_by(security, Some(other_name.authorities()), misnamed.port)).await;
        assert!(
            matches!(outcome, ChannelOutcome::RetryLater { .. }),
            "{outcome:?}"
        );
        assert_eq!(server.received(), [], "{security:?}");
        let outcome = mailed(mail_by(security, Some(pki.authorities()), gate.port)).await;
        assert!(
            matches!(outcome, ChannelOutcome::Delivered(_)),
            "{security:?}: {outcome:?}"
        );
        assert_eq!(server.received().len(), 1, "{security:?}");
    }
}

#[tokio::test]
async fn what_came_unencrypted_behind_the_consent_to_encrypt_is_not_taken_for_an_answer() {
    let pki = Pki::new();
    let server = MailServer::start().unwrap();
    let gate = Gate::before(server.port(), &pki.acceptor, Way::StartTlsWithSomethingBehind).await;
    let outcome = mailed(mail_by(
        MailSecurity::StartTls,
        Some(pki.authorities()),
        gate.port,
    ))
    .await;
    assert!(
        matches!(outcome, ChannelOutcome::RetryLater { .. }),
        "{outcome:?}"
    );
    assert_eq!(server.received(), []);
}

#[tokio::test]
async fn webhooks_go_by_https_to_whom_an_authority_of_ours_vouches_for() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let receiver = HttpReceiver::start().unwrap();
    let gate = Gate::before(receiver.port(), &pki.acceptor, Way::FromTheFirstByte).await;
    let store = MemoryAddresses::new();
    let url = format!("https://127.0.0.1:{}/hook", gate.port);
    let webhook = webhooks::add(&store, &url, WebhookKinds::All).await;
    let id = webhook.id.to_string();
    let deliver = async |authorities: Option<Authorities>| {
        let mut options = webhooks::options(&["127.0.0.0/8"]);
        options.allow_http = false;
        options.authorities = authorities;
        let channel = WebhookChannel::new(Arc::new(store.clone()), codes(), options).unwrap();
        channel.deliver(&attempt(told(News::Issued), &id)).await
    };
    for untrusted in [None, Some(stranger.authorities())] {
        let outcome = deliver(untrusted).await;
        assert!(
            matches!(outcome, ChannelOutcome::RetryLater { .. }),
            "{outcome:?}"
        );
    }
    assert_eq!(receiver.requests(), []);
    let outcome = deliver(Some(pki.authorities())).await;
    assert!(matches!(outcome, ChannelOutcome::Delivered(_)), "{outcome:?}");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn the_shop_is_asked_for_an_address_by_https_too() {
    let pki = Pki::new();
    let shop = HttpReceiver::start().unwrap();
    shop.conduct(coupon_testkit::HttpConduct::body(
        r#"{"email":"kim@example.org"}"#,
    ));
    let gate = Gate::before(shop.port(), &pki.acceptor, Way::FromTheFirstByte).await;
    for (authorities, asked) in [(None, 0), (Some(pki.authorities()), 1)] {
        let trusted = authorities.is_some();
        let lookup = ContactLookup::new(ContactLookupOptions {
            url: format!("https://127.0.0.1:{}/{{userId}}", gate.port),
            token: None,
            authorities,
        });
        let contact = coupon_app::Contacts::contact(&lookup.unwrap(), &coupon_app::contract::user(1)).await;
        assert_eq!(contact.is_ok(), trusted, "{contact:?}");
        assert_eq!(shop.requests().len(), asked);
    }
}

#[test]
fn a_file_without_certificates_is_no_list_of_authorities() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = KeyPair::generate().unwrap().serialize_pem();
    for pem in ["", "nobody", key.as_str()] {
        assert_eq!(
            Authorities::from_pem(pem.as_bytes()).unwrap_err(),
            AuthoritiesError
        );
    }
    // Whether it is a certificate shows when it is built in.
    let read = Authorities::from_pem(broken.as_bytes());
    let built = read.map(|authorities| {
        let options = webhooks::options(&[]);
        let options = notify::WebhookOptions {
            authorities: Some(authorities),
            patience: patience(),
            ..options
        };
        WebhookChannel::new(Arc::new(MemoryAddresses::new()), codes(), options).is_ok()
    });
    assert!(!built.unwrap_or(false));
}
