//! How people are reached.

use crate::error::Failure;
use crate::row::{optional_text, text};
use crate::script::Script;
use crate::store::Reader;
use coupon_core::{Contact, EmailAddress, Language, PersonName, UserId};
use sqlx::mysql::MySqlRow;

/// Doing it twice does it once.
pub(crate) async fn keep(reader: &Reader, user: &UserId, contact: &Contact) -> Result<(), Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("REPLACE INTO contacts (user_id, email, name, language) VALUES (")
            .bytes(user.as_bytes())
            .sql(", ")
            .text(contact.email.as_str())
            .sql(", ");
        match &contact.name {
            Some(name) => script.text(name.as_str()),
            None => script.sql("NULL"),
        };
        script.sql(", ");
        match contact.language {
            Some(language) => script.text(language.code()),
            None => script.sql("NULL"),
        };
        script.sql(")");
        script
    };
    reader.ask_one(script).await.map(drop)
}

pub(crate) async fn one(reader: &Reader, user: &UserId) -> Result<Option<Contact>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT email, name, language FROM contacts WHERE user_id = ")
            .bytes(user.as_bytes());
        script
    };
    reader
        .ask_one(script)
        .await?
        .rows
        .first()
        .map(contact)
        .transpose()
}

pub(crate) async fn forget(reader: &Reader, user: &UserId) -> Result<bool, Failure> {
    let mut script = Script::new();
    script
        .statement("DELETE FROM contacts WHERE user_id = ")
        .bytes(user.as_bytes());
    let mut connection = reader.connection().await?;
    let answered = reader.ask_on(&mut connection, script).await?;
    Ok(answered.iter().any(|one| one.affected == 1))
}

fn contact(row: &MySqlRow) -> Result<Contact, Failure> {
    let damaged = || Failure::Damaged("the contact of a user".to_owned());
    Ok(Contact {
        email: EmailAddress::parse(text(row, 0)?).map_err(|_no_address| damaged())?,
        name: optional_text(row, 1)?
            .map(PersonName::parse)
            .transpose()
            .map_err(|_no_name| damaged())?,
        language: optional_text(row, 2)?
            .map(|code| Language::parse(&code).ok_or_else(damaged))
            .transpose()?,
    })
}
