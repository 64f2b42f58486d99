//! MariaDB and MySQL.

mod template;
mod wire;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::ServerError;
use crate::limits::PORT_ATTEMPTS;
use crate::place::{self, Component};
use crate::port::free_port;
use crate::server::Server;

use self::wire::{Account, Connection};

pub use self::wire::Rows;

/// Which of the two products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SqlEngine {
    /// `mariadbd`.
    #[default]
    MariaDb,
    /// `mysqld`.
    MySql,
}

impl SqlEngine {
    fn component(self) -> &'static Component {
        match self {
            Self::MariaDb => &place::MARIADB,
            Self::MySql => &place::MYSQL,
        }
    }

    /// That root may come in over TCP without a password. Names of hosts are not looked up, so the address
    /// needs an account of its own.
    fn first_words(self) -> &'static str {
        match self {
            Self::MariaDb | Self::MySql => {
                "SET sql_log_bin = 0;\n\
                 CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\n\
                 GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
            }
        }
    }
}

/// How a server is to be started.
///
/// The default is what a store needs: binary log on and synced at each commit, InnoDB's log synced at each
/// commit. A weaker server is made with [`SqlOptions::set`].
#[derive(Clone, Debug)]
pub struct SqlOptions {
    engine: SqlEngine,
    settings: Vec<(String, String)>,
}

impl SqlOptions {
    /// With the durable settings.
    pub fn on(engine: SqlEngine) -> Self {
        Self {
            engine,
            settings: Vec::new(),
        }
        .set("log-bin", "binlog")
        .set("server-id", "1")
        .set("sync-binlog", "1")
        .set("innodb-flush-log-at-trx-commit", "1")
        .set("innodb-buffer-pool-size", "64M")
        .set("max-connections", "400")
    }

    /// One option of the command line without its dashes. Of two for one name the later one holds.
    #[must_use]
    pub fn set(self, name: &str, value: &str) -> Self {
        let mut options = self.without(name);
        options.settings.push((dashed(name), value.to_owned()));
        options
    }

    /// Leaves an option to the server's default. MySQL writes a binary log then, MariaDB does not; `skip-log-bin`
    /// set to the empty text turns it off in both.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        let name = dashed(name);
        self.settings.retain(|(known, _)| *known != name);
        self
    }
}

/// The servers take `sync_binlog` and `sync-binlog` for the same.
fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

/// A server: the user's own, one shared by all tests of this process, or one of a test's own.
#[derive(Debug)]
pub struct Sql {
    engine: SqlEngine,
    account: Account,
    /// `None` if the user runs it.
    server: Option<Server>,
}

/// Schemas made in this process, so that no two have one name.
static DATABASES: AtomicU64 = AtomicU64::new(0);

impl Sql {
    /// Starts a server of the test's own and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`ServerError::Absent`] if there is no such program; other errors if it does not come up.
    pub fn start(options: &SqlOptions) -> Result<Self, ServerError> {
        let component = options.engine.component();
        let program = component.find()?;
        let template = template::of(options.engine, component, &program)?;
        let mut attempt = 1;
        loop {
            let server = Server::new(component.program, program.clone())?;
            let mut sql = Self {
                engine: options.engine,
                account: Account::root(free_port()?),
                server: Some(server),
            };
            sql.fill(&template)?;
            sql.arrange(options)?;
            match sql.launch() {
                // Somebody else may have taken the port; a server that cannot start says so again.
                Err(ServerError::Failed { .. }) if attempt < PORT_ATTEMPTS => attempt += 1,
                launched => return launched.map(|()| sql),
            }
        }
    }

    /// The server that all tests of this process may use beside each other: the user's own if
    /// `FIRSTCOME_TEST_MARIADB_URL` (`FIRSTCOME_TEST_MYSQL_URL`) names one, otherwise one with the default
    /// options that is started at the first call.
    ///
    /// # Errors
    ///
    /// As [`Sql::start`].
    pub fn shared(engine: SqlEngine) -> Result<&'static Self, ServerError> {
        static MARIADB: Mutex<Option<&'static Sql>> = Mutex::new(None);
        static MYSQL: Mutex<Option<&'static Sql>> = Mutex::new(None);

        let shared = match engine {
            SqlEngine::MariaDb => &MARIADB,
            SqlEngine::MySql => &MYSQL,
        };
        // A panic while it was held left either a server or none.
        let mut shared = shared.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(sql) = *shared {
            return Ok(sql);
        }
        let sql = match engine.component().offered() {
            Some(url) => Self::of_user(engine, &url)?,
            None => Self::start(&SqlOptions::on(engine))?,
        };
        // It lives as long as the process; the watchdog ends it then.
        Ok(*shared.insert(Box::leak(Box::new(sql))))
    }

    /// [`Sql::shared`], MariaDB.
    ///
    /// # Errors
    ///
    /// As [`Sql::start`].
    pub fn mariadb() -> Result<&'static Self, ServerError> {
        Self::shared(SqlEngine::MariaDb)
    }

    /// [`Sql::shared`], MySQL.
    ///
    /// # Errors
    ///
    /// As [`Sql::start`].
    pub fn mysql() -> Result<&'static Self, ServerError> {
        Self::shared(SqlEngine::MySql)
    }

    fn of_user(engine: SqlEngine, url: &str) -> Result<Self, ServerError> {
        let account = Account::parse(url).ok_or_else(|| ServerError::Failed {
            component: engine.component().program,
            reason: "its address must read mysql://USER[:PASSWORD]@HOST[:PORT]".to_owned(),
        })?;
        Ok(Self {
            engine,
            account,
            server: None,
        })
    }

    /// Which product it is.
    pub fn engine(&self) -> SqlEngine {
        self.engine
    }

    /// `mysql://root@127.0.0.1:PORT`, without a schema.
    pub fn url(&self) -> String {
        self.account.url()
    }

    /// On which it listens, the same after a restart.
    pub fn port(&self) -> u16 {
        self.account.port
    }

    /// A new empty schema, removed when it is dropped.
    ///
    /// # Errors
    ///
    /// If the server refuses or cannot be reached.
    pub fn fresh_database(&self) -> Result<SqlDatabase, ServerError> {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        // On a user's server there may be some of an earlier process with this number.
        let name = format!("firstcome_test_{}_{number}", std::process::id());
        self.query(&format!("DROP DATABASE IF EXISTS {name}"))?;
        self.query(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"))?;
        Ok(SqlDatabase {
            url: format!("{}/{name}", self.url()),
            name,
            component: self.engine.component().program,
            account: self.account.clone(),
        })
    }

    /// Asks on a connection of its own, as the administrator.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`] with the server's error, [`ServerError::Talk`] if it cannot be reached.
    pub fn query(&self, sql: &str) -> Result<Rows, ServerError> {
        let component = self.engine.component().program;
        Connection::open(component, &self.account)?.query(sql)
    }

    /// Where it stores what it stores.
    ///
    /// # Errors
    ///
    /// If the user runs the server.
    pub fn data_dir(&self) -> Result<PathBuf, ServerError> {
        Ok(self.own()?.data_dir())
    }

    /// Of the running server, if it is ours.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(Server::pid)
    }

    /// kill -9; returns when the process is gone.
    pub fn kill9(&mut self) {
        if let Some(server) = &mut self.server {
            server.kill9();
        }
    }

    /// Ends it in order (SIGTERM), as an operator would.
    pub fn stop(&mut self) {
        if let Some(server) = &mut self.server {
            server.stop();
        }
    }

    /// Starts it again, on the same port with what is on disk. One that still runs is killed first.
    ///
    /// # Errors
    ///
    /// As [`Sql::start`].
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.kill9();
        self.launch()
    }

    /// The process stands still (SIGSTOP): connections are accepted by the kernel, nothing is answered.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.own()?.pause()
    }

    /// Lets it go on after [`Sql::pause`].
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.own()?.resume()
    }

    fn own(&self) -> Result<&Server, ServerError> {
        self.server.as_ref().ok_or_else(|| ServerError::Failed {
            component: self.engine.component().program,
            reason: "it is not ours to handle".to_owned(),
        })
    }

    /// Puts the template's content into the data directory.
    fn fill(&self, template: &std::path::Path) -> Result<(), ServerError> {
        let server = self.own()?;
        let copied = template::copy(template, &server.data_dir());
        server.prepare("copying the initial content", copied)
    }

    fn arrange(&mut self, options: &SqlOptions) -> Result<(), ServerError> {
        let port = self.account.port;
        let server = self.own()?;
        let first = server.scratch().join("first.sql");
        let written = fs::write(&first, self.engine.first_words());
        server.prepare("the first statements", written)?;
        let mut arguments = template::fixed_arguments(&server.data_dir());
        arguments.extend([
            format!("--init-file={}", first.display()),
            format!("--socket={}", server.scratch().join("socket").display()),
            format!("--pid-file={}", server.scratch().join("pid").display()),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
        ]);
        if self.engine == SqlEngine::MySql {
            arguments.extend(["--mysqlx=OFF".to_owned(), "--secure-file-priv=NULL".to_owned()]);
        }
        arguments.extend(options.settings.iter().map(|(name, value)| {
            if value.is_empty() {
                format!("--{name}")
            } else {
                format!("--{name}={value}")
            }
        }));
        if let Some(server) = &mut self.server {
            server.set_arguments(arguments);
        }
        Ok(())
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let component = self.engine.component().program;
        let account = self.account.clone();
        match &mut self.server {
            Some(server) => server.launch(|| {
                let answer =
                    Connection::open(component, &account).and_then(|mut open| open.query("SELECT 1"));
                answer.is_ok()
            }),
            None => Ok(()),
        }
    }
}

/// A schema of one test.
#[derive(Debug)]
pub struct SqlDatabase {
    url: String,
    name: String,
    component: &'static str,
    account: Account,
}

impl SqlDatabase {
    /// `mysql://root@127.0.0.1:PORT/NAME`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same schema through another port of the loopback: a proxy's.
    pub fn url_by_port(&self, port: u16) -> String {
        format!("{}/{}", self.account.clone().by_loopback(port).url(), self.name)
    }

    /// The schema's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks on a connection of its own, in this schema.
    ///
    /// # Errors
    ///
    /// As [`Sql::query`].
    pub fn query(&self, sql: &str) -> Result<Rows, ServerError> {
        self.session()?.query(sql)
    }

    /// A connection in this schema, to hold a transaction open with.
    ///
    /// # Errors
    ///
    /// As [`Sql::query`].
    pub fn session(&self) -> Result<SqlSession, ServerError> {
        self.open(&self.account)
    }

    /// The same through another port of the loopback: a proxy's.
    ///
    /// # Errors
    ///
    /// As [`Sql::query`].
    pub fn session_by_port(&self, port: u16) -> Result<SqlSession, ServerError> {
        self.open(&self.account.clone().by_loopback(port))
    }

    fn open(&self, account: &Account) -> Result<SqlSession, ServerError> {
        let mut connection = Connection::open(self.component, account)?;
        connection.query(&format!("USE {}", self.name))?;
        Ok(SqlSession { connection })
    }
}

/// One connection; what it has locked or begun ends when it is dropped.
#[derive(Debug)]
pub struct SqlSession {
    connection: Connection,
}

impl SqlSession {
    /// Sends one statement and waits for its answer.
    ///
    /// # Errors
    ///
    /// As [`Sql::query`].
    pub fn query(&mut self, sql: &str) -> Result<Rows, ServerError> {
        self.connection.query(sql)
    }
}

impl Drop for SqlDatabase {
    fn drop(&mut self) {
        // The server may be gone by now, and takes its schemas with it.
        let _ = Connection::open(self.component, &self.account)
            .and_then(|mut open| open.query(&format!("DROP DATABASE IF EXISTS {}", self.name)));
    }
}
