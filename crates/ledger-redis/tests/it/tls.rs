//! TLS: the server is believed only with a certificate of the authority that was named, and believes us with ours.

use super::rig::{self, block_on, start};
use super::sale::{create, wins};
use coupon_app::{Health, IssueLedger};
use coupon_testkit::{RedisOptions, free_port};
use ledger_redis::{RedisLedger, RedisTrouble, Target, Tls};
use std::sync::Arc;

#[test]
fn a_server_is_believed_by_its_certificate_and_believes_ours() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let stranger = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| files.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let [certificate, key] = [certificate, key].map(|path| path.to_str().unwrap().to_owned());
    for clients_sign_in in ["no", "yes"] {
        let port = free_port().unwrap();
        let options = RedisOptions::durable()
            .set("tls-port", &port.to_string())
            .set("tls-cert-file", &certificate)
            .set("tls-key-file", &key)
            .set("tls-ca-cert-file", &certificate)
            .set("tls-auth-clients", clients_sign_in);
        let Some(redis) = start(&options) else { return };
        block_on(async {
            let with = |authority: Option<String>, ours: bool| {
                let mut options = rig::options(&redis);
                options.target = Target::Single(format!("127.0.0.1:{port}"));
                options.tls = Some(Tls {
                    authority: authority.map(String::into_bytes),
                    client: ours.then(|| {
                        let key = made.signing_key.serialize_pem();
                        (made.cert.pem().into_bytes(), key.into())
                    }),
                });
                let ids = Arc::new(rig::Ids::default());
                RedisLedger::open(options, rig::handle(), Arc::default(), ids, None)
            };
            let trusted = with(Some(made.cert.pem()), clients_sign_in == "yes")
                .await
                .unwrap();
            assert_eq!(trusted.health(), Health::Ready);
            let coupon = create(&trusted, 1).await;
            wins(&trusted, coupon, 1).await;
            for refused in [
                with(Some(stranger.cert.pem()), true).await,
                with(None, true).await,
            ] {
                assert!(
                    matches!(refused, Err(RedisTrouble::Unreachable(_))),
                    "{refused:?}"
                );
            }
            if clients_sign_in == "yes" {
                let unknown = with(Some(made.cert.pem()), false).await;
                assert!(
                    matches!(unknown, Err(RedisTrouble::Unreachable(_))),
                    "{unknown:?}"
                );
            }
        });
    }
}
