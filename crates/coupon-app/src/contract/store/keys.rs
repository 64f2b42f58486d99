//! API keys.

use super::{StoreExam, StoreHarness};
use crate::contract::at;
use crate::{KeyRecord, Scope};

fn key(n: u8, scopes: &[Scope]) -> KeyRecord {
    KeyRecord {
        // Ids and times that do not sort in the order of making.
        id: format!("{}-key", 9 - n).into(),
        name: "the shop's back end ' 뒷단".into(),
        scopes: scopes.to_vec(),
        secret_hash: std::array::from_fn(|at| n ^ u8::try_from(at * 9 % 256).unwrap()),
        created_at: at(i64::from(n)),
        revoked_at: None,
    }
}

fn some_keys() -> [KeyRecord; 3] {
    [
        key(1, &[Scope::Issue]),
        key(2, &[Scope::Issue, Scope::Redeem, Scope::Admin]),
        key(3, &[Scope::Admin]),
    ]
}

pub fn keys_are_listed_as_they_were_made(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        assert_eq!(exam.books().keys.keys().await.unwrap(), []);
        for one in &some_keys() {
            exam.books().keys.add_key(one).await.unwrap();
        }
        assert_eq!(exam.books().keys.keys().await.unwrap(), some_keys());
        exam.reopen().await;
        assert_eq!(exam.books().keys.keys().await.unwrap(), some_keys());
    });
}

pub fn an_id_that_is_taken_is_an_error(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let [one, ..] = some_keys();
        exam.books().keys.add_key(&one).await.unwrap();
        let same_id = KeyRecord {
            name: "another".into(),
            ..one.clone()
        };
        assert!(exam.books().keys.add_key(&same_id).await.is_err());
        assert_eq!(exam.books().keys.keys().await.unwrap(), [one]);
    });
}

pub fn a_key_is_revoked_once_and_stays_listed(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let [one, two, _] = some_keys();
        for key in [&one, &two] {
            exam.books().keys.add_key(key).await.unwrap();
        }
        let revoked = KeyRecord {
            revoked_at: Some(at(50)),
            ..two.clone()
        };
        for when in [50, 60] {
            let told = exam.books().keys.revoke_key(&two.id, at(when)).await.unwrap();
            assert_eq!(told, Some(revoked.clone()), "the first time counts");
        }
        let unknown = exam.books().keys.revoke_key("nobody", at(50)).await.unwrap();
        assert_eq!(unknown, None);
        exam.reopen().await;
        assert_eq!(exam.books().keys.keys().await.unwrap(), [one, revoked]);
    });
}
