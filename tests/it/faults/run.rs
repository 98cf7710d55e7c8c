//! A run on one server with its own file.

use futures_util::future::join_all;

use super::checker::Steps;
use super::disk::Disk;
use super::nemesis::{FLAGS, Striker};
use super::party::{LINES, Party, held_against_history, judge, plan, suffer};
use crate::support::House;
use crate::support::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_out_of_order_whatever_breaks() {
    let disk = Disk::new();
    let house = House::opens("127.0.0.1:0", disk.path(), FLAGS).await;
    let target = house.listen().parse().expect("an address");
    let lines = join_all((0..LINES).map(|_| Proxy::start(target))).await;
    let plan = plan();
    let host = house.person("host").await;
    let party = Party::gathers(host, &lines, plan).await;
    let mut striker = Striker::new(&disk, house);
    let (tally, is_right) = suffer(striker.strikes(plan), &lines, &party, plan).await;
    let findings = held_against_history(&party, &tally, Steps::One).await;
    judge(&party, plan, is_right, &findings, &striker.finish().await);
}
