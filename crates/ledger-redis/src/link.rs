//! The way to Redis: one connection that many calls share, made again when it is lost, and looked at when it is new.

use crate::error::{Doubt, RedisTrouble};
use crate::health;
use crate::identity::{self, Identity, Sighting};
use crate::keys::Keys;
use crate::limits::MAX_CALL_TRIES;
use crate::news::{self, News};
use crate::options::{RedisOptions, Target};
use crate::scripts::Script;
use coupon_app::LedgerIdentity;
use coupon_core::CouponId;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError,
    TlsCertificates, TlsMode, Value,
};
use secrecy::ExposeSecret;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// One connection, shared by its clones.
#[derive(Clone)]
pub(crate) struct Wire {
    to: To,
    /// Whether it is known to have ended.
    gone: Arc<AtomicBool>,
}

#[derive(Clone)]
enum To {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Wire {
    /// One command and its reply.
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, RedisTrouble> {
        let replied = match &self.to {
            To::One(connection) => connection.clone().req_packed_command(command).await,
            To::Cluster(connection) => connection.clone().req_packed_command(command).await,
        };
        replied.and_then(Value::extract_error).map_err(|error| {
            // A master that became a replica: there may be another one to be found.
            let demoted = error.code() == Some("READONLY");
            if error.is_io_error() || error.is_unrecoverable_error() || demoted {
                self.gone.store(true, Ordering::Release);
            }
            RedisTrouble::of_a_call(error)
        })
    }

    async fn subscribe(&self, channel: &str) -> Result<(), RedisError> {
        match &self.to {
            To::One(connection) => connection.clone().subscribe(channel).await,
            To::Cluster(connection) => connection.clone().subscribe(channel).await,
        }
    }

    /// Asks every master, and names each.
    pub(crate) async fn ask_every_node(
        &self,
        command: Cmd,
    ) -> Result<Vec<(String, Result<Value, RedisTrouble>)>, RedisTrouble> {
        let To::Cluster(connection) = &self.to else {
            let said = self.send(&command).await;
            return match said {
                Err(RedisTrouble::Unanswered(error)) if error.is_io_error() => {
                    Err(RedisTrouble::Unanswered(error))
                }
                said => Ok(vec![("the server".to_owned(), said)]),
            };
        };
        let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let said = connection.clone().route_command(command, everywhere).await;
        let nodes = crate::reply::pairs(said.map_err(RedisTrouble::of_a_call)?)?;
        nodes
            .into_iter()
            .map(|(node, said)| {
                let said = said.extract_error().map_err(RedisTrouble::of_a_call);
                Ok((crate::reply::text(node)?, said))
            })
            .collect()
    }
}

/// The way to Redis.
pub(crate) struct Link {
    options: RedisOptions,
    /// Loaded on every new connection, so that a batch is not decided in another order for want of a script.
    scripts: Vec<Script>,
    /// Whether servers are looked at before they are trusted.
    judges: bool,
    /// Held while a connection is made: one at a time, for all who wait.
    wire: tokio::sync::Mutex<Option<Wire>>,
    /// Why nothing may be decided; empty when everything is well.
    weak: Mutex<Vec<String>>,
    /// Why the last attempt to connect failed, until one succeeds.
    unreachable: Mutex<Option<String>>,
    sighting: watch::Sender<Option<Sighting>>,
    /// What other servers tell of their changes.
    news: News,
    /// Whether nothing may be decided because the state is being compared with the store, or has not been.
    closed: AtomicBool,
}

impl Link {
    pub(crate) fn new(options: RedisOptions, scripts: Vec<Script>, judges: bool) -> Self {
        let (sighting, _) = watch::channel(None);
        Self {
            closed: AtomicBool::new(judges && options.begins_closed),
            options,
            scripts,
            judges,
            wire: tokio::sync::Mutex::new(None),
            weak: Mutex::new(Vec::new()),
            unreachable: Mutex::new(None),
            sighting,
            news: News::new(),
        }
    }

    /// What other servers tell of their changes, for one who listens.
    pub(crate) fn news(&self) -> Option<mpsc::Receiver<CouponId>> {
        self.news.listen()
    }

    pub(crate) fn options(&self) -> &RedisOptions {
        &self.options
    }

    pub(crate) fn sightings(&self) -> watch::Receiver<Option<Sighting>> {
        self.sighting.subscribe()
    }

    /// These servers are trusted from now on.
    pub(crate) fn accept(&self, identity: Identity) {
        self.sighting.send_modify(|sighting| {
            let found = sighting
                .as_ref()
                .map_or_else(|| identity.clone(), |it| it.found.clone());
            *sighting = Some(Sighting {
                found,
                expected: Some(identity),
            });
        });
    }

    /// Nothing may be decided from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Trusts the servers that answer, if they are these, and opens.
    pub(crate) fn open(&self, expected: &LedgerIdentity) -> bool {
        let found = self.sighting.borrow().as_ref().map(|it| it.found.clone());
        let Some(found) = found.filter(|found| found.fingerprint() == *expected) else {
            return false;
        };
        self.accept(found);
        self.closed.store(false, Ordering::Release);
        self.is_open()
    }

    /// Whether the servers that answer are trusted.
    pub(crate) fn is_open(&self) -> bool {
        let expected = self.sighting.borrow().as_ref().is_some_and(Sighting::is_expected);
        expected && !self.closed.load(Ordering::Acquire)
    }

    /// The servers that answer.
    pub(crate) fn found(&self) -> Option<Identity> {
        self.sighting.borrow().as_ref().map(|it| it.found.clone())
    }

    /// Why nothing may be decided, if there is a reason.
    pub(crate) fn trouble(&self) -> Option<String> {
        if let Some(sighting) = self.sighting.borrow().as_ref().filter(|it| !it.is_expected()) {
            return Some(format!(
                "Redis is not the one that is expected, so something may be lost: found {}; reconcile, then accept it",
                sighting.found
            ));
        }
        if self.closed.load(Ordering::Acquire) {
            return Some("its state is being compared with the store".to_owned());
        }
        let weak = self.weak.lock().unwrap_or_else(PoisonError::into_inner);
        (!weak.is_empty()).then(|| weak.join("; "))
    }

    /// Why nothing can be decided as far as is known, for operators. Whether there is a connection is tried again
    /// with every call, so that alone does not close the gate.
    pub(crate) fn why_not_ready(&self) -> Option<String> {
        let unreachable = || {
            let unreachable = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
            unreachable.clone()
        };
        self.trouble().or_else(unreachable)
    }

    /// The connection; made, and looked at, if there is none.
    pub(crate) async fn wire(&self) -> Result<Wire, RedisTrouble> {
        let mut wire = self.wire.lock().await;
        if let Some(wire) = wire.as_ref().filter(|wire| !wire.gone.load(Ordering::Acquire)) {
            return Ok(wire.clone());
        }
        *wire = None;
        let made = self.make().await;
        let why = made.as_ref().err().map(ToString::to_string);
        *self.unreachable.lock().unwrap_or_else(PoisonError::into_inner) = why;
        let made = made?;
        *wire = Some(made.clone());
        Ok(made)
    }

    async fn make(&self) -> Result<Wire, RedisTrouble> {
        let made = self.connect().await?;
        for script in &self.scripts {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.text());
            made.send(&load).await.map_err(unreached)?;
        }
        if self.judges {
            self.examine(&made).await.map_err(unreached)?;
            let changes = Keys::new(&self.options.prefix).changes();
            if let Err(error) = made.subscribe(&changes).await {
                tracing::debug!(%error, "changes by other servers are not heard of at once");
            }
        }
        Ok(made)
    }

    /// Looks at the servers again.
    pub(crate) async fn probe(&self) -> Result<(), RedisTrouble> {
        let wire = self.wire().await?;
        self.examine(&wire).await
    }

    async fn examine(&self, wire: &Wire) -> Result<(), RedisTrouble> {
        let weak = health::weaknesses(wire, &self.options.declared).await?;
        let found = identity::identify(wire).await?;
        *self.weak.lock().unwrap_or_else(PoisonError::into_inner) = weak;
        self.sighting.send_if_modified(|sighting| {
            let expected = match sighting.as_ref() {
                Some(before) => before.expected.clone(),
                None => self.options.expected.clone(),
            };
            let expected = expected.or_else(|| Some(found.clone()));
            let now = Some(Sighting { found, expected });
            let changed = *sighting != now;
            *sighting = now;
            changed
        });
        Ok(())
    }

    /// One command. What it may be asked again after, it is not: see [`Link::call`].
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, RedisTrouble> {
        let wire = self.wire().await?;
        self.gate()?;
        wire.send(command).await
    }

    /// One command of whoever mends what is in doubt.
    pub(crate) async fn send_in_doubt(&self, command: &Cmd) -> Result<Value, RedisTrouble> {
        self.wire().await?.send(command).await
    }

    fn gate(&self) -> Result<(), RedisTrouble> {
        match self.trouble() {
            Some(why) if self.judges => Err(Doubt::NotReady(why).into()),
            _ => Ok(()),
        }
    }

    /// One call of a script. It is made again only after a refusal that says that nothing happened.
    pub(crate) async fn call(
        &self,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
    ) -> Result<Value, RedisTrouble> {
        let mut tries = 1;
        let mut said = self.send(&script.by_hash(keys, args)).await;
        loop {
            match said {
                Err(trouble) if tries < MAX_CALL_TRIES && trouble.is_unknown_script() => {
                    said = self.send(&script.by_text(keys, args)).await;
                }
                Err(trouble) if tries < MAX_CALL_TRIES && trouble.passes() && self.may_move() => {
                    let pause = Duration::from_millis(10 << tries);
                    tokio::time::sleep(pause).await;
                    said = self.send(&script.by_hash(keys, args)).await;
                }
                said => return said,
            }
            tries += 1;
        }
    }

    /// Whether another server may be responsible a moment later.
    fn may_move(&self) -> bool {
        !matches!(self.options.target, Target::Single(_))
    }

    async fn connect(&self) -> Result<Wire, RedisTrouble> {
        let gone = Arc::new(AtomicBool::new(false));
        let making = async {
            Ok(match &self.options.target {
                Target::Cluster(addresses) => To::Cluster(self.connect_to_cluster(addresses, &gone).await?),
                Target::Single(address) => {
                    let to = self.connection_info(address)?;
                    let client = match self.certificates() {
                        Some(certificates) => Client::build_with_tls(to, certificates)?,
                        None => Client::open(to)?,
                    };
                    To::One(self.connect_to_one(&client, &gone).await?)
                }
                Target::Sentinel { addresses, group } => {
                    let client = self.find_master(addresses, group).await?;
                    To::One(self.connect_to_one(&client, &gone).await?)
                }
            })
        };
        let timeout = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let made = tokio::time::timeout(self.options.connect_timeout, making).await;
        let to = made.map_err(|_elapsed| timeout()).and_then(|made| made);
        Ok(Wire {
            to: to.map_err(RedisTrouble::Unreachable)?,
            gone,
        })
    }

    async fn connect_to_one(
        &self,
        client: &Client,
        gone: &Arc<AtomicBool>,
    ) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(Some(self.options.response_timeout))
            .set_push_sender(self.hears(gone));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn connect_to_cluster(
        &self,
        addresses: &[String],
        gone: &Arc<AtomicBool>,
    ) -> Result<ClusterConnection, RedisError> {
        let nodes = addresses.iter().map(|address| self.connection_info(address));
        let nodes = nodes.collect::<Result<Vec<ConnectionInfo>, RedisError>>()?;
        // No retries: the client would send a script again whose reply was lost.
        let mut builder = ClusterClientBuilder::new(nodes)
            .retries(0)
            .use_protocol(ProtocolVersion::RESP3)
            .tcp_settings(at_once())
            // The client connects to a lost node again by itself; we want to look at the node first.
            .push_sender(self.hears(gone))
            .connection_timeout(self.options.connect_timeout)
            .response_timeout(self.options.response_timeout)
            .overall_response_timeout(Some(self.options.response_timeout));
        if let Some(login) = &self.options.login {
            builder = builder.password(login.password.expose_secret());
            if let Some(user) = &login.user {
                builder = builder.username(user);
            }
        }
        if let Some(certificates) = self.certificates() {
            builder = builder.tls(TlsMode::Secure).certs(certificates);
        }
        builder.build()?.get_async_connection().await
    }

    async fn find_master(&self, addresses: &[String], group: &str) -> Result<Client, RedisError> {
        let sentinels = addresses.iter().map(|address| self.address(address));
        let sentinels = sentinels.collect::<Result<Vec<ConnectionAddr>, RedisError>>()?;
        let mut builder = SentinelClientBuilder::new(sentinels, group, SentinelServerType::Master)?
            .set_client_to_redis_protocol(ProtocolVersion::RESP3)
            .set_client_to_redis_tcp_settings(at_once());
        if let Some(login) = &self.options.login {
            builder = builder.set_client_to_redis_password(login.password.expose_secret());
            if let Some(user) = &login.user {
                builder = builder.set_client_to_redis_username(user);
            }
        }
        if let Some(login) = &self.options.sentinel_login {
            builder = builder.set_client_to_sentinel_password(login.password.expose_secret());
            if let Some(user) = &login.user {
                builder = builder.set_client_to_sentinel_username(user);
            }
        }
        if let Some(certificates) = self.certificates() {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_certificates(certificates);
        }
        builder.build()?.async_get_client().await
    }

    fn address(&self, address: &str) -> Result<ConnectionAddr, RedisError> {
        let malformed = || RedisError::from((ErrorKind::InvalidClientConfig, "an address is host:port"));
        let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
        let port = port.parse().map_err(|_no_port| malformed())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(match self.options.tls {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
        })
    }

    fn connection_info(&self, address: &str) -> Result<ConnectionInfo, RedisError> {
        let mut redis = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        if let Some(login) = &self.options.login {
            redis = redis.set_password(login.password.expose_secret());
            if let Some(user) = &login.user {
                redis = redis.set_username(user);
            }
        }
        let to = self.address(address)?.into_connection_info()?;
        Ok(to.set_redis_settings(redis).set_tcp_settings(at_once()))
    }

    /// Marks a wire as gone when one of its connections has ended, and takes in what others tell.
    fn hears(&self, gone: &Arc<AtomicBool>) -> impl Fn(PushInfo) -> Result<(), Infallible> + use<> {
        let (gone, heard) = (Arc::clone(gone), self.news.heard());
        move |push| {
            if push.kind == PushKind::Disconnection {
                gone.store(true, Ordering::Release);
            } else if let Some(coupon) = news::coupon(&push) {
                // Beyond the limit it is read with all the others.
                let _full = heard.try_send(coupon);
            }
            Ok(())
        }
    }

    fn certificates(&self) -> Option<TlsCertificates> {
        let tls = self.options.tls.as_ref()?;
        let client_tls = tls.client.as_ref().map(|(certificate, key)| ClientTlsConfig {
            client_cert: certificate.clone(),
            client_key: key.expose_secret().as_bytes().to_vec(),
        });
        Some(TlsCertificates {
            client_tls,
            root_cert: tls.authority.clone(),
        })
    }
}

/// Many calls share a connection, and none waits for the reply to another before it is sent.
fn at_once() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Whatever went wrong before the connection was handed out: nothing was asked of it.
fn unreached(trouble: RedisTrouble) -> RedisTrouble {
    match trouble {
        RedisTrouble::Unanswered(error) => RedisTrouble::Unreachable(error),
        other @ (RedisTrouble::Unreachable(_)
        | RedisTrouble::Refused(_)
        | RedisTrouble::Nonsense(_)
        | RedisTrouble::ClosedMeanwhile
        | RedisTrouble::Doubt(_)
        | RedisTrouble::Overtaken(_)
        | RedisTrouble::Store(_)) => other,
    }
}
