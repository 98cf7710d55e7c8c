//! How long the lobby takes, by how many people there are.

use std::path::Path;

use super::{
    Plan, Result,
    figures::{Table, Times, ratio},
    pages::in_turn,
    program::Program,
};

pub async fn measure(plan: &Plan, folder: &Path, table: &mut Table) -> Result<()> {
    let mut program = Program::serve(&plan.server, &folder.join("lobby")).await?;
    let mut before: Option<(usize, Times)> = None;
    for people in plan.size(vec![10, 100, 500], vec![10, 50]) {
        program.invite(people).await?;
        let viewer = program.people[0].clone();
        let asks = plan.size(1_000, 300);
        let times = in_turn(&program, &viewer, &[("/".into(), "")], asks)
            .await?
            .remove(0);
        let (beside, more) = match &before {
            Some((fewer, before)) => (
                format!("with {fewer}: {}", before.words()),
                ratio(times.at(0.5), before.at(0.5)),
            ),
            None => Default::default(),
        };
        table.add(
            format!("lobby with {people} people, p50 · p99"),
            times.words(),
            beside,
            more,
        );
        before = Some((people, times));
    }
    Ok(())
}
