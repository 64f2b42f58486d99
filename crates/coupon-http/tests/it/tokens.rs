//! Users' tokens: which are good, and which are not.

use crate::house::{House, NOW_US, SECRET, token, token_of};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use coupon_http::{TokenAlgorithm, TokenKeys};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

const NOW_S: i64 = NOW_US / 1_000_000;

fn wallet(house: &House, token: &str) -> (u16, Option<String>) {
    let answer = house.get("/v1/me/coupons", token);
    match answer.status {
        200 => (200, None),
        _ => {
            let (status, code) = answer.refusal();
            (status, Some(code))
        }
    }
}

fn invalid() -> (u16, Option<String>) {
    (401, Some("invalid-credentials".to_owned()))
}

fn expired() -> (u16, Option<String>) {
    (401, Some("token-expired".to_owned()))
}

/// Base64url without padding, for tokens that no library would make.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

#[test]
fn claims_decide_whether_a_token_is_good() {
    let house = House::open();
    let long = "x".repeat(129);
    for (claims, expected) in [
        (json!({ "sub": "a", "exp": NOW_S + 1 }), (200, None)),
        (
            json!({ "sub": "a", "exp": NOW_S + 1, "aud": "anyone", "iss": "anyone" }),
            (200, None),
        ),
        (json!({ "sub": "a", "exp": NOW_S as f64 + 0.5 }), (200, None)),
        (json!({ "sub": "a", "exp": 1e18 }), (200, None)),
        (json!({ "sub": "a", "exp": NOW_S - 29 }), (200, None)),
        (json!({ "sub": "a", "exp": NOW_S - 30 }), expired()),
        (json!({ "sub": "a", "exp": 0 }), expired()),
        (json!({ "sub": "a", "exp": -1 }), invalid()),
        (json!({ "sub": "a", "exp": (NOW_S + 60).to_string() }), invalid()),
        (json!({ "sub": "a", "exp": null }), invalid()),
        (json!({ "sub": "a" }), invalid()),
        (
            json!({ "sub": "a", "exp": NOW_S + 60, "nbf": NOW_S + 30 }),
            (200, None),
        ),
        (
            json!({ "sub": "a", "exp": NOW_S + 60, "nbf": NOW_S + 31 }),
            invalid(),
        ),
        (json!({ "sub": "a", "exp": NOW_S + 60, "nbf": "soon" }), invalid()),
        (json!({ "exp": NOW_S + 60 }), invalid()),
        (json!({ "sub": null, "exp": NOW_S + 60 }), invalid()),
        (json!({ "sub": 7, "exp": NOW_S + 60 }), invalid()),
        (json!({ "sub": "", "exp": NOW_S + 60 }), invalid()),
        (json!({ "sub": long, "exp": NOW_S + 60 }), invalid()),
        (json!({ "sub": "a\u{202e}b", "exp": NOW_S + 60 }), invalid()),
        (json!({ "sub": "a\u{0}", "exp": NOW_S + 60 }), invalid()),
        (json!([]), invalid()),
    ] {
        assert_eq!(wallet(&house, &token_of(&claims)), expected, "{claims}");
    }
}

#[test]
fn a_token_that_was_good_expires_by_the_clock_of_the_house() {
    let house = House::open();
    let token = token_of(&json!({ "sub": "a", "exp": NOW_S + 10 }));
    for _ in 0..3 {
        assert_eq!(wallet(&house, &token), (200, None));
    }
    house.clock.shift(39_999_999);
    assert_eq!(wallet(&house, &token), (200, None));
    house.clock.shift(1);
    for _ in 0..3 {
        assert_eq!(wallet(&house, &token), expired());
    }
}

#[test]
fn a_token_with_another_algorithm_key_or_form_is_refused() {
    let house = House::open();
    let claims = json!({ "sub": "a", "exp": NOW_S + 60 });
    let good = token_of(&claims);
    let mut parts = good.split('.');
    let (head, payload, signature) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let other_payload = base64url(json!({ "sub": "b", "exp": NOW_S + 60 }).to_string().as_bytes());
    let head_of = |head: &Value| base64url(head.to_string().as_bytes());
    let with = |algorithm| {
        encode(
            &Header::new(algorithm),
            &claims,
            &EncodingKey::from_secret(SECRET),
        )
        .unwrap()
    };
    let mut critical = Header::new(Algorithm::HS256);
    critical.crit = Some(vec!["exp".to_owned()]);
    let other_key = EncodingKey::from_secret(b"another secret of at least 32 bytes, too");
    for bad in [
        format!("{}.{payload}.", head_of(&json!({ "alg": "none" }))),
        format!("{}.{payload}.{signature}", head_of(&json!({ "alg": "none" }))),
        format!("{}.{payload}.", head_of(&json!({ "alg": "None", "typ": "JWT" }))),
        format!("{}.{payload}.{signature}", head_of(&json!({ "typ": "JWT" }))),
        format!("{head}.{payload}."),
        format!("{head}.{payload}"),
        format!("{head}.{other_payload}.{signature}"),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!(".{payload}.{signature}"),
        "..".to_owned(),
        "x".repeat(9_000),
        with(Algorithm::HS384),
        with(Algorithm::HS512),
        encode(&Header::new(Algorithm::HS256), &claims, &other_key).unwrap(),
        encode(&critical, &claims, &EncodingKey::from_secret(SECRET)).unwrap(),
    ] {
        assert_eq!(wallet(&house, &bad), invalid(), "{}", &bad[..bad.len().min(80)]);
    }
    assert_eq!(wallet(&house, &good), (200, None));
}

#[test]
fn a_token_that_was_signed_for_another_purpose_is_refused_by_its_type() {
    let house = House::open();
    let claims = json!({ "sub": "a", "exp": NOW_S + 60 });
    let of_type = |typ: Option<&str>| {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = typ.map(str::to_owned);
        encode(&header, &claims, &EncodingKey::from_secret(SECRET)).unwrap()
    };
    for good in [
        None,
        Some("JWT"),
        Some("jwt"),
        Some("at+jwt"),
        Some("AT+JWT"),
        Some("application/at+jwt"),
        Some("Application/JWT"),
    ] {
        assert_eq!(wallet(&house, &of_type(good)), (200, None), "{good:?}");
    }
    for bad in [
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "refresh+jwt",
        "id+jwt",
        "JWE",
        "at+jwt ",
        "application/",
        "text/jwt",
        "쿠폰",
        "",
    ] {
        assert_eq!(wallet(&house, &of_type(Some(bad))), invalid(), "{bad:?}");
    }
}

#[test]
fn issuer_and_audience_are_checked_where_configured() {
    let house = House::with(|settings| {
        settings.tokens.issuer = Some("https://shop.example".to_owned());
        settings.tokens.audience = Some("firstcome".to_owned());
    });
    for (iss, aud, expected) in [
        (json!("https://shop.example"), json!("firstcome"), (200, None)),
        (
            json!("https://shop.example"),
            json!(["other", "firstcome"]),
            (200, None),
        ),
        (json!("https://evil.example"), json!("firstcome"), invalid()),
        (json!("https://shop.example"), json!("other"), invalid()),
        (json!("https://shop.example"), json!([]), invalid()),
        (json!("https://shop.example"), json!(7), invalid()),
        (json!("https://shop.example"), Value::Null, invalid()),
        (Value::Null, json!("firstcome"), invalid()),
    ] {
        let mut claims = json!({ "sub": "a", "exp": NOW_S + 60, "iss": iss, "aud": aud });
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        assert_eq!(wallet(&house, &token_of(&claims)), expected, "{claims}");
    }
}

struct Ed(Ed25519KeyPair);

impl Ed {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url(self.0.public_key().as_ref()) })
    }

    fn token(&self, kid: Option<&str>) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = kid.map(str::to_owned);
        let pkcs8 = self.0.to_pkcs8().unwrap();
        let claims = json!({ "sub": "a", "exp": NOW_S + 60 });
        encode(&header, &claims, &EncodingKey::from_ed_der(pkcs8.as_ref())).unwrap()
    }
}

fn ec() -> (EcdsaKeyPair, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let pkcs8 = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
    (pair, pkcs8)
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let text = base64url(der).replace('-', "+").replace('_', "/");
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let lines: Vec<String> = padded
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
    .into_bytes()
}

#[test]
fn a_key_set_checks_tokens_by_the_key_they_name() {
    let (one, two, stranger) = (Ed::new(), Ed::new(), Ed::new());
    let (ec, _) = ec();
    let point = ec.public_key().as_ref();
    let set = json!({ "keys": [
        one.jwk("one"),
        two.jwk("two"),
        // Of another kind: left out. A symmetric key in a set of public keys would be the public's secret.
        { "kty": "EC", "crv": "P-256", "kid": "ec", "x": base64url(&point[1..33]), "y": base64url(&point[33..]) },
        { "kty": "oct", "kid": "oct", "k": base64url(SECRET) },
    ] });
    let house = House::with(|settings| {
        settings.tokens.keys = TokenKeys::Jwks {
            algorithm: TokenAlgorithm::EdDsa,
            json: set.to_string().into_bytes(),
        };
    });
    assert_eq!(wallet(&house, &one.token(Some("one"))), (200, None));
    assert_eq!(wallet(&house, &two.token(Some("two"))), (200, None));
    for bad in [
        one.token(Some("two")),
        one.token(Some("three")),
        one.token(None),
        stranger.token(Some("one")),
        token("a"),
    ] {
        assert_eq!(wallet(&house, &bad), invalid());
    }
    // The public key, mistaken for an HMAC secret.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("one".to_owned());
    let public = EncodingKey::from_secret(one.0.public_key().as_ref());
    let confused = encode(&header, &json!({ "sub": "a", "exp": NOW_S + 60 }), &public).unwrap();
    assert_eq!(wallet(&house, &confused), invalid());
}

#[test]
fn a_public_key_as_pem_checks_tokens() {
    let (pair, pkcs8) = ec();
    let public = pair.public_key().as_der().unwrap();
    let public_pem = pem("PUBLIC KEY", public.as_ref());
    let house = House::with(|settings| {
        settings.tokens.keys = TokenKeys::Pem {
            algorithm: TokenAlgorithm::Es256,
            pem: public_pem.clone(),
        };
    });
    let claims = json!({ "sub": "a", "exp": NOW_S + 60 });
    let good = encode(
        &Header::new(Algorithm::ES256),
        &claims,
        &EncodingKey::from_ec_der(&pkcs8),
    )
    .unwrap();
    assert_eq!(wallet(&house, &good), (200, None));
    let confused = encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(&public_pem),
    )
    .unwrap();
    assert_eq!(wallet(&house, &confused), invalid());
    assert_eq!(wallet(&house, &token("a")), invalid());
}

#[test]
fn an_rsa_key_as_pem_checks_tokens_and_only_of_its_algorithm() {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let private = EncodingKey::from_rsa_pem(&pem("PRIVATE KEY", private.as_ref())).unwrap();
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let public = pem("PUBLIC KEY", public.as_ref());
    let house = House::with(|settings| {
        settings.tokens.keys = TokenKeys::Pem {
            algorithm: TokenAlgorithm::Rs256,
            pem: public.clone(),
        };
    });
    let claims = json!({ "sub": "a", "exp": NOW_S + 60 });
    let signed = |algorithm| encode(&Header::new(algorithm), &claims, &private).unwrap();
    assert_eq!(wallet(&house, &signed(Algorithm::RS256)), (200, None));
    for other in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        assert_eq!(wallet(&house, &signed(other)), invalid());
    }
    let confused = encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(&public),
    );
    assert_eq!(wallet(&house, &confused.unwrap()), invalid());
}

#[test]
fn a_token_cannot_bring_the_key_that_it_is_checked_with() {
    let trusted = Ed::new();
    let set = json!({ "keys": [trusted.jwk("one")] });
    let house = House::with(|settings| {
        settings.tokens.keys = TokenKeys::Jwks {
            algorithm: TokenAlgorithm::EdDsa,
            json: set.to_string().into_bytes(),
        };
    });
    let id = house.publish(json!(9));
    let path = format!("/v1/coupons/{id}/issues");
    let forger = Ed::new();
    let own = forger.jwk("one");
    for head in [
        json!({ "alg": "EdDSA", "kid": "one" }),
        json!({ "alg": "EdDSA", "kid": "one", "jwk": own }),
        json!({ "alg": "EdDSA", "jwk": own }),
        json!({ "alg": "EdDSA", "kid": "one", "jku": "http://127.0.0.1:1/keys" }),
        json!({ "alg": "EdDSA", "kid": "one", "x5u": "http://127.0.0.1:1/chain" }),
        json!({ "alg": "EdDSA", "kid": "one", "x5c": ["AAAA"] }),
        json!({ "alg": "EdDSA", "kid": "../one" }),
    ] {
        let claims = json!({ "sub": "a", "exp": NOW_S + 60 });
        let signed = format!(
            "{}.{}",
            base64url(head.to_string().as_bytes()),
            base64url(claims.to_string().as_bytes())
        );
        let signature = base64url(forger.0.sign(signed.as_bytes()).as_ref());
        let answer = house.ask("POST", &path, &format!("{signed}.{signature}"), json!({}));
        assert_eq!(
            answer.refusal(),
            (401, "invalid-credentials".to_owned()),
            "{head}"
        );
    }
    let good = trusted.token(Some("one"));
    assert_eq!(house.ask("POST", &path, &good, json!({})).status, 201);
    let stats = house.get(&format!("/v1/admin/coupons/{id}/stats"), &house.admin);
    assert_eq!(stats.json()["issued"], 1, "only to the token that is good");
}

#[test]
fn forged_and_replayed_tokens_never_get_a_coupon() {
    let house = House::open();
    let id = house.publish(json!(9));
    let path = format!("/v1/coupons/{id}/issues");
    let good = token("a");
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let of_another = base64url(json!({ "sub": "b", "exp": NOW_S + 3_600 }).to_string().as_bytes());
    let none = base64url(json!({ "alg": "none" }).to_string().as_bytes());
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    for forged in [
        format!("{head}.{of_another}.{signature}"),
        format!("{none}.{of_another}."),
        format!("{signed}."),
        signed.to_owned(),
        format!("{signed}.{flipped}{}", &signature[1..]),
        format!("{good}.{signature}"),
    ] {
        let answer = house.ask("POST", &path, &forged, json!({}));
        assert_eq!(
            answer.refusal(),
            (401, "invalid-credentials".to_owned()),
            "{forged}"
        );
    }
    // Whoever has copied a token gets what its user has, and nothing for anybody else.
    assert_eq!(house.ask("POST", &path, &good, json!({})).status, 201);
    for _ in 0..3 {
        let again = house.ask("POST", &path, &good, json!({}));
        assert_eq!(again.refusal(), (409, "already-issued".to_owned()));
        let other = house.ask("POST", &path, &good, json!({ "userId": "b" }));
        assert_eq!(other.refusal().0, 400);
    }
    // A token that was remembered as good ends with its time.
    let second = house.publish(json!(9));
    house.clock.shift(3_700_000_000);
    let late = house.ask("POST", &format!("/v1/coupons/{second}/issues"), &good, json!({}));
    assert_eq!(late.refusal(), (401, "token-expired".to_owned()));
    for (coupon, issued) in [(id, 1), (second, 0)] {
        let stats = house.get(&format!("/v1/admin/coupons/{coupon}/stats"), &house.admin);
        assert_eq!(stats.json()["issued"], issued);
    }
}
