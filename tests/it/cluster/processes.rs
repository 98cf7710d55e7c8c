//! The real program, twice: what it says of Redis to the operator.

use futures_util::future::join_all;
use tempfile::TempDir;

use crate::support::cluster::is_heard;
use crate::support::redis::Redis;
use crate::support::{House, databases, eventually};

/// Two real programs on one database, and what joins them.
pub struct Pair {
    pub houses: [House; 2],
    pub redis: Redis,
}

impl Pair {
    /// Opens both and waits until they hear each other.
    pub async fn opens(data: &[TempDir; 2]) -> Pair {
        let pair = Pair::opens_on(data, Redis::start()).await;
        for house in &pair.houses {
            is_heard(&house.anon("nobody"), true).await;
        }
        pair
    }

    /// Opens both over this Redis, which need not be there.
    pub async fn opens_on(data: &[TempDir; 2], redis: Redis) -> Pair {
        let database = databases::url(data[0].path()).await;
        let way = redis.url();
        let flags = ["--database", &database, "--redis", &way, "--limits", "off"];
        let open = |folder: &'_ TempDir| {
            let folder = folder.path().to_owned();
            async move { House::opens("127.0.0.1:0", &folder, &flags).await }
        };
        let houses = join_all(data.iter().map(open)).await;
        let houses = houses.try_into().map_err(|_| "two").expect("two");
        Pair { houses, redis }
    }

    /// Waits until both say that they hear each other, or that they do not.
    async fn is_heard(&self, heard: bool) {
        for house in &self.houses {
            is_heard(&house.anon("nobody"), heard).await;
        }
    }

    /// Both have logged so often that Redis does not answer, and that it does.
    async fn have_logged(&self, lost: usize, found: usize) {
        for house in &self.houses {
            eventually("it is logged", async || {
                house.times_logged("cannot use Redis") >= lost
                    && house.times_logged("Redis answers") >= found
            })
            .await;
            let times = ["cannot use Redis", "Redis answers"].map(|it| house.times_logged(it));
            assert_eq!(times, [lost, found], "one line for each change");
        }
    }
}

fn two_folders() -> [TempDir; 2] {
    [(); 2].map(|()| TempDir::new().expect("a directory"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_state_is_one_line_in_the_log() {
    let data = two_folders();
    let mut pair = Pair::opens(&data).await;
    pair.have_logged(0, 1).await;
    pair.redis.is_killed();
    pair.is_heard(false).await;
    pair.have_logged(1, 1).await;
    pair.redis.starts();
    pair.is_heard(true).await;
    pair.have_logged(1, 2).await;
    pair.redis.is_frozen(true);
    pair.is_heard(false).await;
    pair.redis.is_frozen(false);
    pair.is_heard(true).await;
    pair.have_logged(2, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_at_the_start_two_nodes_work_and_say_so_once() {
    let data = two_folders();
    let mut pair = Pair::opens_on(&data, Redis::absent()).await;
    pair.is_heard(false).await;
    pair.have_logged(1, 0).await;
    let [here, there] = &pair.houses;
    let (ada, ben) = (here.person("ada").await, there.person("ben").await);
    let room = ada.creates_room("General").await;
    let mut his = ben.listens(room, 0).await.settled().await;
    ada.posts(room, "hello").await;
    his.sees(1).await;
    pair.redis.starts();
    pair.is_heard(true).await;
    pair.have_logged(1, 1).await;
}
