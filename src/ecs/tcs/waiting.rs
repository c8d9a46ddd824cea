//! Rounds that wait to be told. Pure.

use std::collections::VecDeque;

use super::timers::WAITING_ROUNDS;

/// The oldest are told first; the newest are let go of when there are too many, since the service takes none that is
/// older than what fits.
#[derive(Clone, Debug, Default)]
pub struct Waiting(VecDeque<Vec<String>>);

impl Waiting {
    /// Adds the frames of a round, if it has any and there is room; `false` = there is none.
    #[must_use]
    pub fn add(&mut self, round: Vec<String>) -> bool {
        let has_room = self.0.len() < WAITING_ROUNDS;
        if has_room && !round.is_empty() {
            self.0.push_back(round);
        }
        has_room
    }

    /// The oldest.
    pub fn take(&mut self) -> Option<Vec<String>> {
        self.0.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_135_fifteen_rounds_wait_and_the_newest_are_let_go_of() {
        let mut waiting = Waiting::default();
        for number in 0..20 {
            let rooms = [Vec::new(), vec![format!("round {number}")]].map(|it| waiting.add(it));
            assert_eq!(rooms, [number < 15; 2], "{number}");
        }
        let mut told = Vec::new();
        while let Some(round) = waiting.take() {
            told.extend(round);
        }
        let expected: Vec<String> = (0..15).map(|number| format!("round {number}")).collect();
        assert_eq!(told, expected);
    }
}
