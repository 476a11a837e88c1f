//! Two short texts, line by line.

/// Texts with more lines are shown one behind the other.
const LINES_MAX: usize = 200;
/// How many lines that are the same are shown around those that are not.
const AROUND: usize = 2;

/// The lines of both texts: `-` for what is only in the first, `+` for what is only in the second.
pub(super) fn lines<'a>(before: &'a str, after: &'a str) -> Vec<(char, &'a str)> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if old.len() > LINES_MAX || new.len() > LINES_MAX {
        let gone = old.into_iter().map(|line| ('-', line));
        return gone.chain(new.into_iter().map(|line| ('+', line))).collect();
    }
    near_changes(&walk(&old, &new))
}

/// How long the longest common part of what is left of both texts is, at each pair of places.
fn common(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; new.len() + 1]; old.len() + 1];
    let at = |table: &Vec<Vec<usize>>, i: usize, j: usize| {
        table.get(i).and_then(|row| row.get(j)).copied().unwrap_or_default()
    };
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let length = if one == other {
                at(&table, i + 1, j + 1) + 1
            } else {
                at(&table, i + 1, j).max(at(&table, i, j + 1))
            };
            if let Some(cell) = table.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = length;
            }
        }
    }
    table
}

fn walk<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let table = common(old, new);
    let at =
        |i: usize, j: usize| table.get(i).and_then(|row| row.get(j)).copied().unwrap_or_default();
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                lines.push((' ', *one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other) if other.is_none() || at(i + 1, j) >= at(i, j + 1) => {
                lines.push(('-', *one));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(('+', *other));
                j += 1;
            }
            (Some(_) | None, None) => return lines,
        }
    }
}

fn near_changes<'a>(lines: &[(char, &'a str)]) -> Vec<(char, &'a str)> {
    let is_near = |place: usize| {
        let from = place.saturating_sub(AROUND);
        lines.iter().skip(from).take(place - from + AROUND + 1).any(|(sign, _)| *sign != ' ')
    };
    let near = lines.iter().enumerate().filter(|(place, _)| is_near(*place));
    near.map(|(_, line)| *line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        let lines = lines(before, after).into_iter().map(|(sign, line)| format!("{sign}{line}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn only_what_changed_is_shown_and_what_is_near_it() {
        let before = "one\ntwo\nthree\nfour\nfive\nsix";
        let after = "one\ntwo\nthree\nFOUR\nfive\nsix\nseven";
        assert_eq!(shown(before, after), " two\n three\n-four\n+FOUR\n five\n six\n+seven");
        assert_eq!(shown("same", "same"), "");
        assert_eq!(shown("", "new"), "+new");
        assert_eq!(shown("old", ""), "-old");
    }
}
