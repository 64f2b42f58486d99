//! What the product says to Redis, overheard by `MONITOR`: so the same script is called in the same way by others, and
//! nothing about it is written down twice.

use anyhow::{Context as _, bail, ensure};
use coupon_core::{CouponId, UserId};
use redis::Connection;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};

/// With what the lines of the script end that belong to the stream entry.
const MARK: &str = "-- the stream entry";
const PUBLISHES: &str = "redis.call('XADD'";
/// The last word that is listened for.
const ENOUGH: &[u8] = b"enough";

/// One command as it was sent: its words.
type Words = Vec<Vec<u8>>;

/// An open ear.
pub(super) struct Tap(BufReader<TcpStream>);

impl Tap {
    /// Hears everything that is said from now on. It slows Redis down, and is closed before anything is measured.
    pub(super) fn open(port: u16) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(b"MONITOR\r\n")?;
        let mut tap = Self(BufReader::new(stream));
        ensure!(tap.line()? == b"+OK\r\n", "Redis lets nobody listen");
        Ok(tap)
    }

    fn line(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// Everything that was said until now.
    fn heard(mut self, connection: &mut Connection) -> anyhow::Result<Vec<Words>> {
        redis::cmd("ECHO").arg(ENOUGH).query::<()>(connection)?;
        let mut heard = Vec::new();
        loop {
            let line = self.line()?;
            ensure!(!line.is_empty(), "Redis has hung up");
            let words = words(&line).with_context(|| format!("not heard clearly: {line:?}"))?;
            if words.last().is_some_and(|word| word == ENOUGH) {
                return Ok(heard);
            }
            heard.push(words);
        }
    }

    /// The scripts that were loaded.
    pub(super) fn scripts(self, connection: &mut Connection) -> anyhow::Result<Vec<Vec<u8>>> {
        let heard = self.heard(connection)?.into_iter();
        let load = |words: Words| match &words[..] {
            [command, load, text] if command == b"SCRIPT" && load == b"LOAD" => Some(text.clone()),
            _ => None,
        };
        Ok(heard.filter_map(load).collect())
    }

    /// The call by which this user was issued one. `scripts` has the script that was called.
    pub(super) fn call(
        self,
        connection: &mut Connection,
        coupon: CouponId,
        user: &UserId,
        scripts: &[Vec<u8>],
    ) -> anyhow::Result<Call> {
        let heard = self.heard(connection)?.into_iter();
        let mut calls = heard.filter(|words| {
            words[0] == b"EVALSHA" && words.last().is_some_and(|word| word == user.as_bytes())
        });
        let words = calls.next().context("no call was heard")?;
        ensure!(calls.next().is_none(), "more than one call was heard");
        let [_, hash, number, rest @ ..] = &words[..] else {
            bail!("a call without a script");
        };
        ensure!(number == b"3" && rest.len() > 4, "another call than expected");
        let (keys, arguments) = rest.split_at(3);
        let hash = String::from_utf8(hash.clone())?;
        for text in scripts {
            let mut load = redis::cmd("SCRIPT");
            // Redis has it already, and says what its hash is.
            let loaded: String = load.arg("LOAD").arg(&text[..]).query(connection)?;
            if loaded == hash {
                return Ok(Call {
                    coupon,
                    hash,
                    text: text.clone(),
                    keys: keys.to_vec(),
                    arguments: arguments[..arguments.len() - 1].to_vec(),
                });
            }
        }
        bail!("the script that was called is none of those that were loaded")
    }
}

/// A call of the product's script for one coupon.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) coupon: CouponId,
    /// By which the product calls the script.
    pub(super) hash: String,
    /// The script.
    pub(super) text: Vec<u8>,
    /// State, users and stream of the coupon.
    pub(super) keys: Words,
    /// What stands before the users; the fourth is how many there are.
    arguments: Words,
}

impl Call {
    /// The same call for these users.
    pub(super) fn with(&self, hash: &str, users: &[UserId]) -> redis::Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(hash).arg(self.keys.len()).arg(&self.keys);
        call.arg(&self.arguments[..3])
            .arg(users.len())
            .arg(&self.arguments[4..]);
        for user in users {
            call.arg(user.as_bytes());
        }
        call
    }

    /// The same as words of a command line.
    pub(super) fn words(&self, hash: &str, users: &[UserId]) -> anyhow::Result<Vec<String>> {
        let call = self.with(hash, users);
        let word = |word: redis::Arg<&[u8]>| match word {
            redis::Arg::Simple(bytes) => Ok(String::from_utf8(bytes.to_vec())?),
            redis::Arg::Cursor | _ => bail!("a cursor"),
        };
        call.args_iter().map(word).collect()
    }
}

/// The script with its stream entry taken out, if that is found in it.
pub(super) fn without_stream_entry(script: &[u8]) -> anyhow::Result<Vec<u8>> {
    let script = std::str::from_utf8(script)?;
    let (taken, left): (Vec<&str>, Vec<&str>) = script.lines().partition(|line| line.ends_with(MARK));
    let publishing = |lines: &[&str]| lines.iter().filter(|line| line.contains(PUBLISHES)).count();
    ensure!(
        publishing(&taken) == 1 && publishing(&left) == 0,
        "the part of the script that makes the stream entry was not found"
    );
    Ok(left.join("\n").into_bytes())
}

/// The words of a line of `MONITOR`: each in quotes, with what cannot be printed as in C.
fn words(line: &[u8]) -> Option<Words> {
    let mut bytes = line.iter().copied();
    let mut words = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'"' {
            continue;
        }
        let mut word = Vec::new();
        loop {
            word.push(match bytes.next()? {
                b'"' => break,
                b'\\' => match bytes.next()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 7,
                    b'b' => 8,
                    b'x' => hexadecimal(bytes.next()?)? << 4 | hexadecimal(bytes.next()?)?,
                    other => other,
                },
                other => other,
            });
        }
        words.push(word);
    }
    (!words.is_empty()).then_some(words)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_overheard_is_taken_apart_into_the_words_that_were_sent() {
        let line = br#"+1732180000.1 [0 127.0.0.1:5] "EVALSHA" "a\"b\\" "" "\x00\xffz\n\t""#;
        let expected: Words = vec![
            b"EVALSHA".to_vec(),
            b"a\"b\\".to_vec(),
            Vec::new(),
            b"\0\xffz\n\t".to_vec(),
        ];
        assert_eq!(words(line), Some(expected));
        assert_eq!(words(b"+OK\r\n"), None);
        assert_eq!(words(b"+1 \"cut sh"), None);
    }

    #[test]
    fn only_the_stream_entry_is_taken_out_and_only_where_it_is_found() {
        let script =
            b"local a\nlocal b = a -- the stream entry\nredis.call('XADD', b) -- the stream entry\nreturn a";
        assert_eq!(without_stream_entry(script).unwrap(), b"local a\nreturn a");
        for wrong in [
            &b"return 1"[..],
            b"local b -- the stream entry",
            b"redis.call('XADD', b)",
            b"redis.call('XADD', b) -- the stream entry\nredis.call('XADD', c)",
        ] {
            assert!(without_stream_entry(wrong).is_err());
        }
    }
}
