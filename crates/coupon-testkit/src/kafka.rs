//! Apache Kafka in KRaft mode: one broker, or several that each are broker and controller.

mod wire;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::error::ServerError;
use crate::limits;
use crate::place;
use crate::port::free_port;
use crate::server::Server;
use crate::wait::wait_until;

const COMPONENT: &str = place::KAFKA.program;
/// Small and soon warm; on the machines of tests it is the start that counts.
const JAVA_OPTIONS: &[&str] = &[
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    // It would leave a file outside the scratch directory.
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
];
/// Any id will do: the brokers only have to agree on it.
const CLUSTER_ID: &str = "Zmlyc3Rjb21lLXRlc3RraQ";

/// How brokers are to be started.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    brokers: u16,
    settings: Vec<(String, String)>,
    ports: Vec<u16>,
    advertised: Vec<u16>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self::brokers(1)
    }
}

impl KafkaOptions {
    /// So many brokers, one to five. With three or more each topic is kept three times, two of which must be
    /// written before an answer that waits for all.
    pub fn brokers(count: u16) -> Self {
        let brokers = count.clamp(*limits::BROKERS.start(), *limits::BROKERS.end());
        let copies = if brokers < 3 { ("1", "1") } else { ("3", "2") };
        let options = Self {
            brokers,
            settings: Vec::new(),
            ports: Vec::new(),
            advertised: Vec::new(),
        };
        options
            .set("default.replication.factor", copies.0)
            .set("min.insync.replicas", copies.1)
            .set("offsets.topic.replication.factor", copies.0)
            .set("offsets.topic.num.partitions", "4")
            .set("transaction.state.log.replication.factor", copies.0)
            .set("transaction.state.log.min.isr", copies.1)
            .set("share.coordinator.state.topic.replication.factor", copies.0)
            .set("share.coordinator.state.topic.min.isr", copies.1)
            .set("unclean.leader.election.enable", "false")
            // A group of tests has its members at once, and notices soon that one is gone.
            .set("group.initial.rebalance.delay.ms", "0")
            .set("group.min.session.timeout.ms", "500")
            .set("broker.session.timeout.ms", "6000")
            .set("broker.heartbeat.interval.ms", "1000")
            .set("num.network.threads", "1")
            .set("num.io.threads", "2")
            .set("background.threads", "1")
    }

    /// One line of the brokers' configuration. Of two for one name the later one holds.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The brokers listen on these ports (from [`free_port`]) and tell clients to come to those others, where
    /// proxies stand; one of each for every broker. Brokers among themselves take the same way as clients.
    #[must_use]
    pub fn behind(mut self, ports: &[u16], advertised: &[u16]) -> Self {
        self.ports = ports.to_vec();
        self.advertised = advertised.to_vec();
        self
    }
}

/// Brokers of a test's own. They end, and their directories are removed, when this is dropped.
#[derive(Debug)]
pub struct Kafka {
    brokers: Vec<Broker>,
}

#[derive(Debug)]
struct Broker {
    server: Server,
    id: u16,
    port: u16,
    advertised: u16,
    controller_port: u16,
}

impl Kafka {
    /// Starts the brokers and waits until they know each other and answer.
    ///
    /// # Errors
    ///
    /// [`ServerError::Absent`] without Java or the broker's libraries; other errors if it does not come up.
    pub fn start(options: &KafkaOptions) -> Result<Self, ServerError> {
        let (java, libraries) = place::kafka()?;
        let mut brokers = Vec::new();
        for index in 0..options.brokers {
            let at = usize::from(index);
            let port = match options.ports.get(at) {
                Some(port) => *port,
                None => free_port()?,
            };
            brokers.push(Broker {
                server: Server::new(COMPONENT, java.clone())?,
                id: index + 1,
                port,
                advertised: options.advertised.get(at).copied().unwrap_or(port),
                controller_port: free_port()?,
            });
        }
        let voters: Vec<String> = brokers
            .iter()
            .map(|broker| format!("{}@127.0.0.1:{}", broker.id, broker.controller_port))
            .collect();
        for broker in &mut brokers {
            broker.arrange(options, &voters.join(","), &libraries)?;
        }
        let mut kafka = Self { brokers };
        kafka.at_once(|broker| broker.format(&java, &libraries))?;
        // A broker answers when most of the controllers are there, so all have to be started before any is
        // waited for.
        kafka.at_once(Broker::launch)?;
        kafka.wait_for_all()?;
        Ok(kafka)
    }

    /// Addresses of brokers that all tests may use beside each other, so their topics and groups must differ: the
    /// user's own if `FIRSTCOME_TEST_KAFKA_BROKERS` names some, otherwise one broker that is started once in this
    /// process.
    ///
    /// # Errors
    ///
    /// As [`Kafka::start`].
    pub fn shared_bootstrap() -> Result<String, ServerError> {
        static SHARED: Mutex<Option<Kafka>> = Mutex::new(None);

        if let Some(addresses) = place::KAFKA.offered() {
            return Ok(addresses);
        }
        // A panic while it was held left either brokers or none.
        let mut shared = SHARED.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(kafka) = &*shared {
            return Ok(kafka.bootstrap());
        }
        Ok(shared.insert(Self::start(&KafkaOptions::default())?).bootstrap())
    }

    /// `127.0.0.1:PORT`, with a comma between brokers: where clients are told to come.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self
            .brokers
            .iter()
            .map(|broker| format!("127.0.0.1:{}", broker.advertised))
            .collect();
        addresses.join(",")
    }

    /// The ids of all brokers, running or not: 1, 2 and so on.
    pub fn ids(&self) -> impl Iterator<Item = u16> {
        self.brokers.iter().map(|broker| broker.id)
    }

    /// On which a broker listens, the same after a restart.
    ///
    /// # Errors
    ///
    /// If there is no such broker.
    pub fn port(&self, id: u16) -> Result<u16, ServerError> {
        Ok(self.broker(id)?.port)
    }

    /// Of a running broker.
    pub fn pid(&self, id: u16) -> Option<u32> {
        self.broker(id).ok().and_then(|broker| broker.server.pid())
    }

    /// Where a broker stores what it stores.
    ///
    /// # Errors
    ///
    /// If there is no such broker.
    pub fn data_dir(&self, id: u16) -> Result<PathBuf, ServerError> {
        Ok(self.broker(id)?.server.data_dir())
    }

    /// The brokers that count as alive, as the first one that answers sees it.
    ///
    /// # Errors
    ///
    /// If none answers.
    pub fn alive(&self) -> Result<BTreeSet<u16>, ServerError> {
        let mut last = None;
        for broker in self.brokers.iter().filter(|broker| broker.server.pid().is_some()) {
            match wire::brokers(COMPONENT, broker.port) {
                Ok(alive) => return Ok(alive),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ServerError::Failed {
            component: COMPONENT,
            reason: "no broker is running".to_owned(),
        }))
    }

    /// kill -9 of one broker; returns when the process is gone. The others notice after
    /// `broker.session.timeout.ms`, see [`Kafka::alive`].
    ///
    /// # Errors
    ///
    /// If there is no such broker.
    pub fn kill9(&mut self, id: u16) -> Result<(), ServerError> {
        self.broker_mut(id)?.server.kill9();
        Ok(())
    }

    /// Ends one broker in order (SIGTERM), as an operator would.
    ///
    /// # Errors
    ///
    /// If there is no such broker.
    pub fn stop(&mut self, id: u16) -> Result<(), ServerError> {
        self.broker_mut(id)?.server.stop();
        Ok(())
    }

    /// Starts one broker again, on the same port with what is on disk, and waits until it counts as alive.
    ///
    /// # Errors
    ///
    /// As [`Kafka::start`].
    pub fn restart(&mut self, id: u16) -> Result<(), ServerError> {
        let broker = self.broker_mut(id)?;
        broker.server.kill9();
        broker.launch()?;
        let back = wait_until(limits::START, || {
            self.alive().is_ok_and(|alive| alive.contains(&id))
        });
        if back {
            return Ok(());
        }
        Err(self.broker(id)?.server.failed("it does not count as alive"))
    }

    /// One broker stands still (SIGSTOP): connections are accepted by the kernel, nothing is answered.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn pause(&self, id: u16) -> Result<(), ServerError> {
        self.broker(id)?.server.pause()
    }

    /// Lets it go on after [`Kafka::pause`].
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn resume(&self, id: u16) -> Result<(), ServerError> {
        self.broker(id)?.server.resume()
    }

    fn broker(&self, id: u16) -> Result<&Broker, ServerError> {
        let found = self.brokers.iter().find(|broker| broker.id == id);
        found.ok_or_else(|| no_such_broker(id))
    }

    fn broker_mut(&mut self, id: u16) -> Result<&mut Broker, ServerError> {
        let found = self.brokers.iter_mut().find(|broker| broker.id == id);
        found.ok_or_else(|| no_such_broker(id))
    }

    /// Does the same with every broker beside each other: the Java of each takes seconds.
    fn at_once(
        &mut self,
        act: impl Fn(&mut Broker) -> Result<(), ServerError> + Sync,
    ) -> Result<(), ServerError> {
        let act = &act;
        thread::scope(|scope| {
            let acting: Vec<_> = self
                .brokers
                .iter_mut()
                .map(|broker| scope.spawn(move || act(broker)))
                .collect();
            acting
                .into_iter()
                .try_for_each(|acting| acting.join().expect("starting a broker does not panic"))
        })
    }

    fn wait_for_all(&self) -> Result<(), ServerError> {
        let all: BTreeSet<u16> = self.ids().collect();
        // Each has to know, or a client that asks one of them is told of too few.
        let known = wait_until(limits::START, || {
            self.brokers.iter().all(|broker| {
                let alive = wire::brokers(COMPONENT, broker.port);
                alive.is_ok_and(|alive| alive == all)
            })
        });
        match self.brokers.first() {
            Some(broker) if !known => Err(broker.server.failed("the brokers do not know each other")),
            _ => Ok(()),
        }
    }
}

fn no_such_broker(id: u16) -> ServerError {
    ServerError::Failed {
        component: COMPONENT,
        reason: format!("there is no broker {id}"),
    }
}

impl Broker {
    fn configuration(&self) -> PathBuf {
        self.server.scratch().join("server.properties")
    }

    fn arrange(&mut self, options: &KafkaOptions, voters: &str, libraries: &Path) -> Result<(), ServerError> {
        let Self {
            id,
            port,
            advertised,
            controller_port,
            ..
        } = self;
        let mut text = format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             controller.quorum.voters={voters}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}\n\
             log.dirs={}\n",
            self.server.data_dir().display()
        );
        for (name, value) in &options.settings {
            text.extend([name, "=", value, "\n"]);
        }
        let written = fs::write(self.configuration(), text);
        self.server.prepare("server.properties", written)?;
        let mut arguments = java_arguments(self.server.scratch(), libraries);
        arguments.extend(["kafka.Kafka".into(), self.configuration().into()]);
        self.server.set_arguments(arguments);
        Ok(())
    }

    /// Writes into the data directory which cluster it belongs to.
    fn format(&self, java: &Path, libraries: &Path) -> Result<(), ServerError> {
        let output = Command::new(java)
            .args(java_arguments(self.server.scratch(), libraries))
            .args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID])
            .arg("--config")
            .arg(self.configuration())
            .stdin(Stdio::null())
            .output();
        let output = self.server.prepare("formatting the data directory", output)?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(ServerError::Failed {
            component: COMPONENT,
            reason: format!(
                "the data directory could not be formatted:\n{}",
                String::from_utf8_lossy(&said)
            ),
        })
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let port = self.port;
        self.server.launch(|| wire::brokers(COMPONENT, port).is_ok())
    }
}

fn java_arguments(scratch: &Path, libraries: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = JAVA_OPTIONS.iter().map(OsString::from).collect();
    // Libraries unpack their native parts there.
    arguments.push(format!("-Djava.io.tmpdir={}", scratch.display()).into());
    arguments.push("-cp".into());
    // Java itself knows what the star means.
    arguments.push(libraries.join("*").into());
    arguments
}
