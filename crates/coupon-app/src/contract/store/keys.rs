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
        expires_at: (n == 2).then(|| at(1_000)),
        revoked_at: None,
        last_used_at: None,
    }
}

pub(super) fn some_keys() -> [KeyRecord; 3] {
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
            exam.books().keys.add_key(one, &"first".into()).await.unwrap();
        }
        assert_eq!(exam.books().keys.keys().await.unwrap(), some_keys());
        exam.reopen().await;
        assert_eq!(exam.books().keys.keys().await.unwrap(), some_keys());
    });
}

pub fn an_id_that_is_taken_is_an_error(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let [one, ..] = some_keys();
        exam.books().keys.add_key(&one, &"first".into()).await.unwrap();
        let same_id = KeyRecord {
            name: "another".into(),
            ..one.clone()
        };
        assert!(
            exam.books()
                .keys
                .add_key(&same_id, &"first".into())
                .await
                .is_err()
        );
        assert_eq!(exam.books().keys.keys().await.unwrap(), [one]);
    });
}

pub fn a_key_is_revoked_once_and_stays_listed(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let [one, two, _] = some_keys();
        for key in [&one, &two] {
            exam.books().keys.add_key(key, &"first".into()).await.unwrap();
        }
        let revoked = KeyRecord {
            revoked_at: Some(at(50)),
            ..two.clone()
        };
        for when in [50, 60] {
            let told = exam
                .books()
                .keys
                .revoke_key(&two.id, at(when), &"first".into())
                .await
                .unwrap();
            assert_eq!(told, Some(revoked.clone()), "the first time counts");
        }
        let unknown = exam
            .books()
            .keys
            .revoke_key("nobody", at(50), &"first".into())
            .await
            .unwrap();
        assert_eq!(unknown, None);
        exam.reopen().await;
        assert_eq!(exam.books().keys.keys().await.unwrap(), [one, revoked]);
    });
}

pub fn the_latest_use_of_a_key_is_kept(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let keys = &exam.books().keys;
        let [one, two, three] = some_keys();
        for key in [&one, &two, &three] {
            keys.add_key(key, &"first".into()).await.unwrap();
        }
        let used = |id: &KeyRecord, when| (id.id.clone(), at(when));
        let nobody = ("nobody".into(), at(5));
        keys.note_used_keys(&[used(&one, 40), nobody, used(&two, 41)])
            .await
            .unwrap();
        keys.note_used_keys(&[used(&one, 30), used(&two, 45)])
            .await
            .unwrap();
        keys.note_used_keys(&[]).await.unwrap();
        exam.reopen().await;
        let all = exam.books().keys.keys().await.unwrap();
        let seen: Vec<_> = all.iter().map(|key| key.last_used_at).collect();
        assert_eq!(seen, [Some(at(40)), Some(at(45)), None]);
    });
}
