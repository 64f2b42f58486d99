//! Signatures of webhooks, version `v1` of the Standard Webhooks specification.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coupon_app::WebhookSecret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A secret in the form in which receivers are given it: `whsec_` and base64.
pub fn secret_text(secret: &WebhookSecret) -> String {
    format!("whsec_{}", STANDARD.encode(secret.expose()))
}

/// The value of `webhook-signature`: one signature by each secret, with a space between. Signed are the id, the second
/// of sending and the body with full stops between, so that none of them can be put to another use; neither an id of
/// ours nor a number has a full stop in it.
pub(super) fn signatures<'a>(
    secrets: impl Iterator<Item = &'a WebhookSecret>,
    id: &str,
    seconds: i64,
    body: &[u8],
) -> String {
    let signed = secrets.map(|secret| {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    });
    signed.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn signatures_are_those_of_the_specifications_own_library(
            first in any::<[u8; 32]>(),
            second in any::<[u8; 32]>(),
            id in "[a-z0-9-]{1,64}",
            seconds in 0..4_102_444_800_i64,
            body in "\\PC{0,200}",
        ) {
            let secrets = [WebhookSecret::new(first), WebhookSecret::new(second)];
            let ours = signatures(secrets.iter(), &id, seconds, body.as_bytes());
            let theirs = secrets.each_ref().map(|secret| {
                let oracle = standardwebhooks::Webhook::new(&secret_text(secret)).unwrap();
                oracle.sign(&id, seconds, body.as_bytes()).unwrap()
            });
            prop_assert_eq!(ours, theirs.join(" "));
        }
    }
}
