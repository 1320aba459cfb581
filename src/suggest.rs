//! The known name nearest to a mistyped one.

/// The known name nearest to `name`, if it is near enough to be what was meant.
///
/// Near enough means edits (insertions, deletions, substitutions and swaps of neighbours) of at
/// most a third of the name's length, ignoring case.
///
/// ```
/// let known = ["top_p", "top_k", "temperature"];
/// assert_eq!(avec::suggest::nearest("temprature", &known), Some("temperature"));
/// ```
pub fn nearest<'a, S: AsRef<str>>(name: &str, known: &'a [S]) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).clamp(1, 4);
    known
        .iter()
        .map(|candidate| {
            let candidate = candidate.as_ref();
            (distance(&wanted, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let width = b.len() + 1;
    let mut before = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; width];
        for j in 1..=b.len() {
            let substituted = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_slips_are_found() {
        let known = ["coeff", "act_name", "prompt1", "prompt2", "pad_method"];
        assert_eq!(nearest("coef", &known), Some("coeff"));
        assert_eq!(nearest("act_nmae", &known), Some("act_name"));
        assert_eq!(nearest("Pad_Method", &known), Some("pad_method"));
        assert_eq!(nearest("temperature", &known), None);
        assert_eq!(nearest("", &known), None);
    }

    #[test]
    fn distance_counts_a_swap_once() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
