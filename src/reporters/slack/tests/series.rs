//! What a channel reads about a patch series.

use super::*;

#[test]
fn what_is_told_of_a_series_is_links_and_words() {
    let text = "**tests** on [Oil the \\[points\\] @\u{2060}all](https://patches.example/list/?series=12) v2: \
                **failed** on master bbbbbbbbbbbb ([build 7](https://ci.example/job/tests/7/))\nPatch 2 of 2";
    insta::assert_snapshot!(written(text).replace(neutral::SEAM, "·"), @r"
    *tests* on <https://patches.example/list/?series=12|Oil the [points] @·all> v2: *failed* on master bbbbbbbbbbbb (<https://ci.example/job/tests/7/|build 7>)
    Patch 2 of 2
    ");
}
