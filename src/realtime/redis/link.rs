//! A line to Redis: one server or a cluster, which comes back by itself. It knows nothing of what is said over it.

use std::{future::Future, time::Duration};

use futures_util::future::join_all;
use redis::{
    Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo, ProtocolVersion,
    PushInfo, RedisError, RedisResult, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig, SendError},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
};

/// How long Redis has to take a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(1);
/// How far apart attempts to come back are at most.
const APART: Duration = Duration::from_millis(500);
/// After how long without a sign of life the system gives up a connection.
const SILENCE: Duration = Duration::from_secs(5);

/// What takes what Redis says unasked. It must not block.
pub(super) type Ear = Box<dyn Fn(PushInfo) + Send + Sync>;

/// One line; cheap to clone, all clones share it.
#[derive(Clone)]
pub(super) enum Link {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

/// What ends the address of a cluster that has no other addresses.
const CLUSTER: &str = "?cluster";

/// Where Redis is.
#[derive(Clone)]
pub(super) enum Place {
    /// On one server.
    Server(Box<ConnectionInfo>),
    /// On the servers of a cluster: these are some of them.
    Cluster(Vec<ConnectionInfo>),
}

/// Where Redis is by its URLs: on one server, or, if there are several or one says so, on a cluster.
///
/// # Errors
/// A sentence that says which address cannot be read.
pub(super) fn place(urls: &[String]) -> Result<Place, String> {
    let (read, is_cluster) = (
        urls.iter().map(|url| address(url)),
        urls.iter().any(|url| url.ends_with(CLUSTER)),
    );
    let mut addresses = read.collect::<Result<Vec<_>, _>>()?;
    match addresses.pop() {
        Some(only) if addresses.is_empty() && !is_cluster => Ok(Place::Server(Box::new(only))),
        last => Ok(Place::Cluster(addresses.into_iter().chain(last).collect())),
    }
}

fn address(url: &str) -> Result<ConnectionInfo, String> {
    let url = url.strip_suffix(CLUSTER).unwrap_or(url);
    let info = url.into_connection_info().map_err(|err| err.to_string())?;
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings).set_tcp_settings(tcp()))
}

fn tcp() -> TcpSettings {
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(SILENCE);
    tcp
}

impl Link {
    /// Opens a line; what Redis says unasked goes to `ear`. A single server need not be there yet.
    pub async fn open(place: &Place, ear: Option<Ear>) -> RedisResult<Self> {
        let ear = ear.map(|ear| {
            move |push| {
                ear(push);
                Ok::<_, SendError>(())
            }
        });
        match place {
            Place::Server(address) => {
                let mut config = ConnectionManagerConfig::new()
                    .set_number_of_retries(usize::MAX)
                    .set_min_delay(Duration::from_millis(20))
                    .set_max_delay(APART)
                    .set_connection_timeout(Some(CONNECT))
                    .set_response_timeout(Some(ANSWER));
                if let Some(ear) = ear {
                    config = config.set_push_sender(ear);
                }
                let client = Client::open(address.as_ref().clone())?;
                client.get_connection_manager_lazy(config).map(Self::Server)
            }
            Place::Cluster(addresses) => {
                let mut client = ClusterClient::builder(addresses.clone())
                    .use_protocol(ProtocolVersion::RESP3)
                    .connection_timeout(CONNECT)
                    .response_timeout(ANSWER)
                    .tcp_settings(tcp());
                if let Some(ear) = ear {
                    client = client.push_sender(ear);
                }
                client
                    .build()?
                    .get_async_connection()
                    .await
                    .map(Self::Cluster)
            }
        }
    }

    /// Asks something, and waits for the answer no longer than `patience`.
    pub async fn ask<T: FromRedisValue>(&self, cmd: &Cmd, patience: Duration) -> RedisResult<T> {
        match self.clone() {
            Self::Server(mut line) => within(patience, cmd.query_async(&mut line)).await,
            Self::Cluster(mut line) => within(patience, cmd.query_async(&mut line)).await,
        }
    }

    /// Has a script run, which Redis is given when it does not know it, and waits no longer than `patience`.
    pub async fn call<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        patience: Duration,
    ) -> RedisResult<T> {
        match self.clone() {
            Self::Server(mut line) => within(patience, call.invoke_async(&mut line)).await,
            Self::Cluster(mut line) => within(patience, call.invoke_async(&mut line)).await,
        }
    }

    /// Says several things in their order, and waits no longer than `patience` until all were taken.
    pub async fn tell(&self, cmds: Vec<Cmd>, patience: Duration) -> RedisResult<()> {
        match self.clone() {
            Self::Server(mut line) => {
                let mut pipeline = redis::Pipeline::with_capacity(cmds.len());
                for cmd in cmds {
                    pipeline.add_command(cmd).ignore();
                }
                within(patience, pipeline.exec_async(&mut line)).await
            }
            // Each belongs to a server of its own; those for the same one keep their order.
            Self::Cluster(line) => {
                let told = cmds.into_iter().map(|cmd| {
                    let mut line = line.clone();
                    async move { cmd.exec_async(&mut line).await }
                });
                let all = async { join_all(told).await.into_iter().collect() };
                within(patience, all).await
            }
        }
    }

    /// Listens to these channels from about now on.
    pub async fn listen(&self, channels: &[String], is_sharded: bool) -> RedisResult<()> {
        self.say_each(
            channels,
            if is_sharded {
                "SSUBSCRIBE"
            } else {
                "SUBSCRIBE"
            },
        )
        .await
    }

    /// Listens to these channels no longer.
    pub async fn leave(&self, channels: &[String], is_sharded: bool) -> RedisResult<()> {
        self.say_each(
            channels,
            if is_sharded {
                "SUNSUBSCRIBE"
            } else {
                "UNSUBSCRIBE"
            },
        )
        .await
    }

    /// Says it of each channel by itself: each has an answer of its own then.
    async fn say_each(&self, channels: &[String], word: &str) -> RedisResult<()> {
        let cmd = |channel: &String| {
            let mut cmd = redis::cmd(word);
            cmd.arg(channel);
            cmd
        };
        self.tell(channels.iter().map(cmd).collect(), ANSWER).await
    }
}

async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(RedisError::from((
            ErrorKind::Io,
            "Redis did not answer in time",
        ))),
    }
}
