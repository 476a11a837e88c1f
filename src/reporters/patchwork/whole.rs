//! Which versions of a series are whole.
//!
//! Patchwork counts what it has received, which proves little: six of five patches are all to it.
//! A version that was sent as an answer to an older one may be among the older one's patches, and
//! whoever answers a series with a patch of the same number is among them, too.  So patches are
//! sorted by what their names say.

use std::collections::BTreeMap;

use super::api::{Item, Series};
use super::name::Name;
use crate::event::series;

/// How many numbers a text about missing patches names.
const NAMED_MAX: usize = 10;

/// A version of a series that is whole.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub(super) version: u32,
    pub(super) cover: Option<Item>,
    /// The patches, in order.
    pub(super) patches: Vec<Item>,
}

/// Why no version of a series is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// What it lacks may come.
    Yet(String),
    /// It will never be told.
    Ever(String),
}

impl Whole {
    /// What its patch or cover letter of this number belongs to.
    pub(super) fn has(&self, cover_or_patch: u64) -> bool {
        let cover = self.cover.iter();
        cover.chain(&self.patches).any(|item| item.id == cover_or_patch)
    }
}

/// The versions of `series` that are whole, oldest first; there is at least one.
pub(super) fn versions(series: &Series) -> Result<Vec<Whole>, Lack> {
    let mut groups: BTreeMap<u32, Vec<(Name, &Item)>> = BTreeMap::new();
    for item in &series.patches {
        let name = Name::parse(item.name.as_deref().unwrap_or_default());
        groups.entry(name.version).or_default().push((name, item));
    }
    let mut whole = Vec::new();
    let mut lack = Lack::Yet("all its patches".to_owned());
    for (version, group) in groups {
        match sorted(&group, series.total) {
            Ok(patches) => {
                whole.push(Whole { version, cover: cover_of(series, version), patches });
            }
            Err(of_this) if version == series.version => lack = of_this,
            Err(_) => {}
        }
    }
    if !series.received_all && matches!(lack, Lack::Yet(_)) {
        // The newest patch may be announced before it is stored.
        return Err(lack);
    }
    if whole.is_empty() { Err(lack) } else { Ok(whole) }
}

/// The patches of one version, in order: of several of one number the first, as the others may be
/// anybody's.
fn sorted(group: &[(Name, &Item)], total: u32) -> Result<Vec<Item>, Lack> {
    let count = count_of(group).unwrap_or(total);
    let is_sane = usize::try_from(count).is_ok_and(|count| count <= series::Series::PATCHES_MAX);
    if count == 0 || !is_sane {
        let most = series::Series::PATCHES_MAX;
        return Err(Lack::Ever(format!(
            "is said to have {count} patches, and {most} are the most"
        )));
    }
    let mut by_number: BTreeMap<u32, &Item> = BTreeMap::new();
    for (name, item) in group {
        // A patch without a mark is alone.
        let number = name.place.map_or(1, |(number, _)| number);
        let known = by_number.entry(number).or_insert(item);
        if item.id < known.id {
            *known = item;
        }
    }
    let missing: Vec<u32> = (1..=count).filter(|number| !by_number.contains_key(number)).collect();
    if missing.is_empty() {
        let wanted = by_number.into_iter().filter(|(number, _)| (1..=count).contains(number));
        return Ok(wanted.map(|(_, item)| item.clone()).collect());
    }
    let mut named: Vec<String> = missing.iter().take(NAMED_MAX).map(u32::to_string).collect();
    if missing.len() > NAMED_MAX {
        named.push("…".to_owned());
    }
    let word = if missing.len() == 1 { "patch" } else { "patches" };
    Err(Lack::Yet(format!("{word} {} of {count}", named.join(", "))))
}

/// Of how many patches most names speak.
fn count_of(group: &[(Name, &Item)]) -> Option<u32> {
    let mut votes: BTreeMap<u32, usize> = BTreeMap::new();
    for (name, _) in group {
        if let Some((_, count)) = name.place {
            *votes.entry(count).or_default() += 1;
        }
    }
    votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(count, _)| count)
}

/// The cover letter, if it is of this version.
fn cover_of(series: &Series, version: u32) -> Option<Item> {
    let cover = series.cover_letter.as_ref()?;
    let name = Name::parse(cover.name.as_deref().unwrap_or_default());
    (name.version == version).then(|| cover.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn series(total: u32, cover: Option<&str>, names: &[&str]) -> Series {
        let item = |id: usize, name: &str| json!({ "id": id, "msgid": format!("<{id}@x>"), "date": "2026-11-20T08:15:31", "name": name });
        let patches: Vec<_> = names.iter().zip(1..).map(|(name, id)| item(id, name)).collect();
        let received_all = usize::try_from(total).unwrap() <= patches.len();
        let value = json!({
            "id": 7, "version": 1, "total": total, "received_all": received_all,
            "project": { "link_name": "points" },
            "cover_letter": cover.map(|name| item(100, name)),
            "patches": patches,
        });
        serde_json::from_value(value).unwrap()
    }

    fn seen(total: u32, cover: Option<&str>, names: &[&str]) -> String {
        match versions(&series(total, cover, names)) {
            Ok(versions) => {
                let shown = versions.iter().map(|whole| {
                    let ids: Vec<_> = whole.patches.iter().map(|item| item.id).collect();
                    format!("v{} {ids:?} {}", whole.version, whole.cover.is_some())
                });
                shown.collect::<Vec<_>>().join("; ")
            }
            Err(lack) => format!("{lack:?}"),
        }
    }

    #[test]
    fn patches_are_put_in_their_order_however_they_came() {
        let names = ["[3/3] c", "[1/3] a", "[2/3] b"];
        insta::assert_snapshot!(seen(3, Some("[0/3] x"), &names), @"v1 [2, 3, 1] true");
        let many: Vec<_> = (1..=12).rev().map(|number| format!("[{number:02}/12] x")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        insta::assert_snapshot!(seen(12, None, &many), @"v1 [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1] false");
        insta::assert_snapshot!(seen(1, None, &["Fix it"]), @"v1 [1] false");
    }

    #[test]
    fn six_of_five_are_not_all() {
        let names = ["[1/5] a", "[2/5] b", "[2/5] b", "[4/5] d", "[4/5] e", "[6/5] f"];
        insta::assert_snapshot!(seen(5, None, &names), @r#"Yet("patches 3, 5 of 5")"#);
        let names = ["[1/2] a", "[2/2] b", "[2/2] not the author's", "[3/2] nor this"];
        insta::assert_snapshot!(seen(2, None, &names), @"v1 [1, 2] false");
    }

    #[test]
    fn what_is_announced_before_it_is_stored_is_waited_for() {
        insta::assert_snapshot!(seen(3, None, &["[1/3] a", "[2/3] b"]), @r#"Yet("patch 3 of 3")"#);
        insta::assert_snapshot!(seen(3, None, &[]), @r#"Yet("all its patches")"#);
        let names: Vec<_> = (1..30).map(|number| format!("[{}/60] x", number * 2)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        insta::assert_snapshot!(seen(60, None, &names), @r#"Yet("patches 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, … of 60")"#);
    }

    #[test]
    fn a_version_that_answers_another_is_one_of_its_own() {
        let names = ["[1/2] a", "[2/2] b", "[v2,2/2] d", "[v2,1/2] c"];
        insta::assert_snapshot!(seen(2, Some("[0/2] x"), &names), @"v1 [1, 2] true; v2 [4, 3] false");
        // As much of it as there was no number for in the older one.
        let names = ["[1/2] a", "[2/2] b", "[v2,3/3] d"];
        insta::assert_snapshot!(seen(2, None, &names), @"v1 [1, 2] false");
    }

    #[test]
    fn a_series_without_end_is_never_told() {
        insta::assert_snapshot!(seen(1, None, &["[1/4000000000] a"]), @r#"Ever("is said to have 4000000000 patches, and 1000 are the most")"#);
        insta::assert_snapshot!(seen(0, None, &["[1/0] a"]), @r#"Ever("is said to have 0 patches, and 1000 are the most")"#);
    }
}
