//! Lists that a model ranks: the rows for one user, one query.

use super::Outcome;
use super::rank::descending;

/// Puts the rows of each list in the order of their scores. `list_of` has a number for each row, the same for the rows of one list.
///
/// Of equal scores the rows that are no come first, so that scores which tell nothing apart are worth nothing, whatever the order of
/// the rows. Lists in which all rows are of one sort are left out: there is nothing to rank.
#[must_use]
pub fn lists(list_of: &[usize], scores: &[f64], truth: &[bool], top: usize) -> Outcome {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); list_of.iter().max().map_or(0, |last| last + 1)];
    for (row, list) in list_of.iter().enumerate() {
        rows[*list].push(row);
    }
    let (mut places, mut yes) = (Vec::new(), Vec::new());
    for rows in rows {
        let right = rows.iter().filter(|row| truth[**row]).count();
        if right == 0 || right == rows.len() {
            continue;
        }
        let (truths, scores): (Vec<bool>, Vec<f64>) = [false, true]
            .into_iter()
            .flat_map(|sort| rows.iter().filter(move |row| truth[**row] == sort))
            .map(|row| (truth[*row], scores[*row]))
            .unzip();
        let order = descending(&scores).into_iter().take(top).enumerate();
        places.push(order.filter(|(_, row)| truths[*row as usize]).map(|(place, _)| place + 1).collect());
        yes.push(right);
    }
    Outcome::Lists { places, yes, top }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_yes_stand_at_their_places_and_last_among_equals() {
        let truth = [false, true, true, false, true, false];
        let found = lists(&[0, 0, 0, 0, 1, 1], &[0.9, 0.8, 0.1, 0.5, 0.3, 0.3], &truth, 3);
        assert_eq!(found, Outcome::Lists { places: vec![vec![2], vec![2]], yes: vec![2, 1], top: 3 });
    }

    #[test]
    fn lists_of_one_sort_are_left_out() {
        let found = lists(&[0, 0, 1, 2], &[0.9, 0.8, 0.1, 0.5], &[true, true, false, true], 3);
        assert_eq!(found, Outcome::Lists { places: Vec::new(), yes: Vec::new(), top: 3 });
        assert_eq!(lists(&[], &[], &[], 3), found);
    }
}
