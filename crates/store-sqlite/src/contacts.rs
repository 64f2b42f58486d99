//! How people are reached.

use crate::error::Failure;
use coupon_core::{Contact, EmailAddress, Language, PersonName, UserId};
use rusqlite::{Connection, OptionalExtension};

/// Keeps a contact in the place of the one before.
pub(crate) fn keep(connection: &Connection, user: &UserId, contact: &Contact) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO contacts (user_id, email, name, language) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            user.as_bytes(),
            contact.email.as_str(),
            contact.name.as_ref().map(PersonName::as_str),
            contact.language.map(Language::code),
        ))?;
    Ok(())
}

/// The contact of a user.
pub(crate) fn one(connection: &Connection, user: &UserId) -> Result<Option<Contact>, Failure> {
    let found: Option<(String, Option<String>, Option<String>)> = connection
        .prepare_cached("SELECT email, name, language FROM contacts WHERE user_id = ?1")?
        .query_row([user.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((email, name, language)) = found else {
        return Ok(None);
    };
    let damaged = || Failure::Damaged("the contact of a user".to_owned());
    Ok(Some(Contact {
        email: EmailAddress::parse(email).map_err(|_no_address| damaged())?,
        name: name
            .map(PersonName::parse)
            .transpose()
            .map_err(|_no_name| damaged())?,
        language: language
            .map(|code| Language::parse(&code).ok_or_else(damaged))
            .transpose()?,
    }))
}

/// Forgets a contact; says whether there was one.
pub(crate) fn forget(connection: &Connection, user: &UserId) -> Result<bool, Failure> {
    let deleted = connection
        .prepare_cached("DELETE FROM contacts WHERE user_id = ?1")?
        .execute([user.as_bytes()])?;
    Ok(deleted == 1)
}
