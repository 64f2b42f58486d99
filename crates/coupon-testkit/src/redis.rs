//! Redis, and Valkey in its place.

mod cluster;
mod sentinel;
mod wire;

use std::path::PathBuf;

use crate::error::ServerError;
use crate::limits::{PORT_ATTEMPTS, START};
use crate::place::{self, Component};
use crate::port::free_port;
use crate::server::Server;
use crate::wait::wait_until;

pub use self::cluster::RedisCluster;
pub use self::sentinel::RedisSentinel;
pub use self::wire::Answer;

/// Which of the two products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RedisEngine {
    /// `redis-server`.
    #[default]
    Redis,
    /// `valkey-server`.
    Valkey,
}

impl RedisEngine {
    fn component(self) -> &'static Component {
        match self {
            Self::Redis => &place::REDIS,
            Self::Valkey => &place::VALKEY,
        }
    }
}

/// How a server is to be started.
///
/// Without settings nothing is written to disk: no snapshots, no append-only file.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    engine: RedisEngine,
    settings: Vec<(String, String)>,
}

impl RedisOptions {
    /// As a ledger wants it: every command is on disk before its answer, and nothing is evicted.
    pub fn durable() -> Self {
        Self::default()
            .set("appendonly", "yes")
            .set("appendfsync", "always")
            .set("maxmemory-policy", "noeviction")
    }

    /// Another product than Redis.
    #[must_use]
    pub fn on(mut self, engine: RedisEngine) -> Self {
        self.engine = engine;
        self
    }

    /// One line of the configuration file. Of two for one name the later one holds.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    fn password(&self) -> Option<&str> {
        let found = self.settings.iter().find(|(name, _)| name == "requirepass");
        found.map(|(_, value)| value.as_str())
    }
}

/// One server of a test's own. It ends, and its directory is removed, when this is dropped.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    port: u16,
    password: Option<String>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`ServerError::Absent`] if there is no such program; other errors if it does not come up.
    pub fn start(options: &RedisOptions) -> Result<Self, ServerError> {
        let component = options.engine.component();
        let program = component.find()?;
        let mut attempt = 1;
        loop {
            let mut redis = Self {
                server: Server::new(component.program, program.clone())?,
                port: free_port()?,
                password: options.password().map(str::to_owned),
            };
            redis.server.set_arguments(redis.arguments(options));
            match redis.launch() {
                // Somebody else may have taken the port; a server that cannot start says so again.
                Err(ServerError::Failed { .. }) if attempt < PORT_ATTEMPTS => attempt += 1,
                launched => return launched.map(|()| redis),
            }
        }
    }

    /// The address of a server that all tests may use beside each other, so their keys must differ and nothing
    /// may be flushed: the user's own if `FIRSTCOME_TEST_REDIS_URL` (`FIRSTCOME_TEST_VALKEY_URL`) names one,
    /// otherwise one that is started once in this process.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn shared_url(engine: RedisEngine) -> Result<String, ServerError> {
        use std::sync::Mutex;
        static REDIS: Mutex<Option<Redis>> = Mutex::new(None);
        static VALKEY: Mutex<Option<Redis>> = Mutex::new(None);

        if let Some(url) = engine.component().offered() {
            return Ok(url);
        }
        let shared = match engine {
            RedisEngine::Redis => &REDIS,
            RedisEngine::Valkey => &VALKEY,
        };
        // A panic while it was held left either a server or none.
        let mut shared = shared.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(redis) = &*shared {
            return Ok(redis.url());
        }
        let redis = Self::start(&RedisOptions::durable().on(engine))?;
        Ok(shared.insert(redis).url())
    }

    /// Starts a replica of this server and waits until it has everything. Replication is asynchronous, as always:
    /// what is written later reaches it after it was answered.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn start_replica(&self, options: &RedisOptions) -> Result<Self, ServerError> {
        self.start_replica_by_port(options, self.port)
    }

    /// The same through another port of the loopback. A proxy there that stalls
    /// [`ToClient`](crate::Direction::ToClient) makes a replica that lags for as long as the test wants.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn start_replica_by_port(&self, options: &RedisOptions, port: u16) -> Result<Self, ServerError> {
        let mut options = options.clone().set("replicaof", &format!("127.0.0.1 {port}"));
        if let Some(password) = &self.password {
            options = options.set("masterauth", password);
        }
        let replica = Self::start(&options)?;
        let linked = wait_until(START, || {
            let info = replica.command(&["INFO", "replication"]).map(|info| info.text());
            info.is_ok_and(|info| info.lines().any(|line| line == "master_link_status:up"))
        });
        if linked {
            Ok(replica)
        } else {
            Err(replica.server.failed("it does not get to its primary"))
        }
    }

    /// Makes a replica the primary, with what it has received. After a restart it is a replica again.
    ///
    /// # Errors
    ///
    /// As [`Redis::command`].
    pub fn promote(&self) -> Result<(), ServerError> {
        self.command(&["REPLICAOF", "NO", "ONE"]).map(|_| ())
    }

    fn arguments(&self, options: &RedisOptions) -> Vec<String> {
        let data = self.server.data_dir().to_string_lossy().into_owned();
        let port = self.port.to_string();
        let ours = [
            ("port", port.as_str()),
            ("bind", "127.0.0.1"),
            ("dir", data.as_str()),
            ("save", ""),
            // A replica gets its copy at once, not after five seconds in which others might ask as well.
            ("repl-diskless-sync-delay", "0"),
            ("daemonize", "no"),
            ("loglevel", "notice"),
        ];
        let theirs = options
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        ours.into_iter()
            .chain(theirs)
            .flat_map(|(name, value)| {
                // A setting of several words takes as many arguments; an empty one takes an empty argument.
                let words = if value.is_empty() {
                    vec![""]
                } else {
                    value.split(' ').collect()
                };
                let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
                [vec![format!("--{name}")], words].concat()
            })
            .collect()
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let (port, password, component) = (self.port, self.password.clone(), self.server.component());
        self.server.launch(|| {
            let answer = wire::ask(component, port, password.as_deref(), &["PING"]);
            matches!(answer, Ok(Answer::Text(text)) if text == "PONG")
        })
    }

    /// `redis://127.0.0.1:PORT`, with the password if `requirepass` was set.
    pub fn url(&self) -> String {
        let user = self.password.as_ref().map(|word| format!(":{word}@"));
        format!("redis://{}127.0.0.1:{}", user.unwrap_or_default(), self.port)
    }

    /// The program `redis-benchmark`, which comes with Redis: whoever compares with its figures starts it.
    ///
    /// # Errors
    ///
    /// [`ServerError::Absent`] if there is none.
    pub fn benchmark() -> Result<PathBuf, ServerError> {
        place::REDIS_BENCHMARK.find()
    }

    /// On which it listens, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it stores what it stores.
    pub fn data_dir(&self) -> PathBuf {
        self.server.data_dir()
    }

    /// Of the running server.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Sends one command on a connection of its own and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`] with the server's error, [`ServerError::Talk`] if it cannot be reached.
    pub fn command(&self, words: &[&str]) -> Result<Answer, ServerError> {
        wire::ask(
            self.server.component(),
            self.port,
            self.password.as_deref(),
            words,
        )
    }

    /// kill -9; returns when the process is gone.
    pub fn kill9(&mut self) {
        self.server.kill9();
    }

    /// Ends it in order (SIGTERM), as an operator would.
    pub fn stop(&mut self) {
        self.server.stop();
    }

    /// Starts it again, on the same port with what is on disk. One that still runs is killed first.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.server.kill9();
        self.launch()
    }

    /// Starts it again on the same port with nothing on disk, like a machine that was replaced.
    ///
    /// # Errors
    ///
    /// As [`Redis::start`].
    pub fn restart_empty(&mut self) -> Result<(), ServerError> {
        self.server.kill9();
        self.server.empty_data_dir()?;
        self.launch()
    }

    /// The process stands still (SIGSTOP): connections are accepted by the kernel, nothing is answered.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.server.pause()
    }

    /// Lets it go on after [`Redis::pause`].
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.server.resume()
    }
}
