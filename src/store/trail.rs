//! When a watermark moved: its last few steps, so that message info can say when somebody read or received a message.
//!
//! A step is 18 characters: the place it moved to (10 hexadecimal digits) and when (8, seconds since 1970, until 2106).
//! Being of one length, the oldest can be cut off by the database itself. Knows nothing of who moved.

use crate::{clock::UnixMillis, ids::Seq};

/// How many characters a step takes.
const STEP: usize = 18;
/// How many steps are kept of how far somebody has read: exact times for what they read lately.
pub(super) const READ_STEPS: usize = 16;
/// How many are kept of how far they were reached; deliveries are gathered, so these last longer.
pub(super) const DELIVERED_STEPS: usize = 8;

/// When somebody came to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At this time.
    At(UnixMillis),
    /// At this time or before: the step that says it exactly is no longer kept.
    By(UnixMillis),
}

/// A step to `seq` at `now`, as it is stored.
pub(super) fn step(seq: Seq, now: UnixMillis) -> String {
    format!("{:010x}{:08x}", seq.0, now.0.div_euclid(1000))
}

/// SQL for the column `trail` with the step `new` behind it; of the oldest, only so many as are kept.
fn appended(trail: &str, new: &str, steps: usize) -> String {
    let full = steps * STEP;
    format!(
        "substr({trail} || {new}, CASE WHEN length({trail}) >= {full} THEN {STEP} + 1 ELSE 1 END)"
    )
}

/// SQL for `delivered_trail` with the step `new` behind it.
pub(super) fn delivered(new: &str) -> String {
    appended("memberships.delivered_trail", new, DELIVERED_STEPS)
}

/// SQL for `read_trail` with the step `new` behind it.
pub(super) fn read(new: &str) -> String {
    appended("memberships.read_trail", new, READ_STEPS)
}

/// When `seq` was reached, by a trail of which so many steps are `kept`; `None` when they do not say.
pub(super) fn when(trail: &str, kept: usize, seq: Seq) -> Option<When> {
    let mut steps = trail.as_bytes().chunks_exact(STEP).filter_map(parse);
    let first = steps.next()?;
    if first.0 >= seq {
        return Some(match trail.len() < kept * STEP {
            true => When::At(first.1),
            false => When::By(first.1),
        });
    }
    let step = steps.find(|(to, _)| *to >= seq);
    step.map(|(_, at)| When::At(at))
}

fn parse(step: &[u8]) -> Option<(Seq, UnixMillis)> {
    let (to, at) = str::from_utf8(step).ok()?.split_at_checked(10)?;
    let seconds = i64::from_str_radix(at, 16).ok()?;
    Some((
        Seq(i64::from_str_radix(to, 16).ok()?),
        UnixMillis(seconds * 1000),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(steps: &[(i64, i64)]) -> String {
        let steps = steps.iter();
        steps
            .map(|(seq, second)| step(Seq(*seq), UnixMillis(second * 1000)))
            .collect()
    }

    #[test]
    fn a_message_was_read_with_the_first_step_that_reaches_it() {
        let trail = trail(&[(3, 100), (7, 200)]);
        let at = |second: i64| Some(When::At(UnixMillis(second * 1000)));
        assert_eq!(when(&trail, READ_STEPS, Seq(1)), at(100));
        assert_eq!(when(&trail, READ_STEPS, Seq(4)), at(200));
        assert_eq!(when(&trail, READ_STEPS, Seq(8)), None, "not reached");
        assert_eq!(when("", READ_STEPS, Seq(1)), None, "nothing is known");
    }

    #[test]
    fn once_the_oldest_step_was_cut_off_its_time_is_an_upper_bound() {
        let steps: Vec<_> = (1..=READ_STEPS as i64).map(|n| (10 * n, n)).collect();
        let trail = trail(&steps);
        assert_eq!(
            when(&trail, READ_STEPS, Seq(5)),
            Some(When::By(UnixMillis(1000)))
        );
        assert_eq!(
            when(&trail, READ_STEPS, Seq(11)),
            Some(When::At(UnixMillis(2000)))
        );
    }
}
