//! A run on two nodes over one PostgreSQL database and one Redis: people move to the other when theirs is gone.

use futures_util::future::join_all;

use super::checker::Steps;
use super::party::{LINES, Party, held_against_history, judge, plan, suffer};
use super::upheaval::Upheaval;
use crate::support::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_out_of_order_whatever_breaks() {
    let mut upheaval = Upheaval::is_set().await;
    let lines = (0..LINES).map(|line| Proxy::start(upheaval.home(line)));
    let lines = join_all(lines).await;
    let plan = plan();
    let host = upheaval.host().await;
    let party = Party::gathers(host, &lines, plan).await;
    party.people().for_each(|person| upheaval.lets_in(person));
    let strikes = upheaval.strikes(&lines, plan);
    let (tally, is_right) = suffer(strikes, &lines, &party, plan).await;
    let findings = held_against_history(&party, &tally, Steps::Several).await;
    judge(&party, plan, is_right, &findings, &upheaval.finish().await);
}
