//! What a reporter promises besides, where comments can be edited: of a board there is one.

use super::Bench;
use crate::action::{Board, Notice, Report};
use crate::executors::Try;
use crate::remote::Failure;
use crate::reporters::contract::Weather;

/// Whether people are to be told of a version.
#[derive(Clone, Copy)]
enum News {
    Yes,
    No,
}

impl Bench<'_> {
    /// Asks for all that is promised of the one comment that is kept up to date; to be asked with
    /// a report that is a comment.
    pub(crate) async fn keeps_its_board(&self) {
        self.a_version_told_again_is_seen_once().await;
        self.a_version_takes_the_place_of_the_one_before().await;
        self.news_are_posted_anew_and_older_ones_removed().await;
        self.a_version_that_arrived_without_an_answer_is_seen_once().await;
        self.a_notice_is_a_version_too().await;
        self.boards_of_other_words_are_left_alone().await;
    }

    async fn a_version_told_again_is_seen_once(&self) {
        let version = self.version("again", "1", News::No);
        self.tell(&version, Try::First).await.unwrap();
        for attempt in [Try::Again, Try::First] {
            self.tell(&version, attempt).await.unwrap();
            assert_eq!(self.versions(&version), [version.text.trim()], "told again");
        }
    }

    async fn a_version_takes_the_place_of_the_one_before(&self) {
        let (first, second) =
            (self.version("place", "1", News::No), self.version("place", "2", News::No));
        self.tell(&first, Try::First).await.unwrap();
        let after = self.another("place-after");
        self.tell(&after, Try::First).await.unwrap();
        self.tell(&second, Try::First).await.unwrap();
        assert_eq!(self.versions(&second), [second.text.trim()], "edited");
        assert!(self.place(&second.marker) < self.place(&after.marker), "it was posted anew");
        self.tell(&second, Try::Again).await.unwrap();
        assert_eq!(self.versions(&second), [second.text.trim()], "edited again");
    }

    async fn news_are_posted_anew_and_older_ones_removed(&self) {
        let (first, second) =
            (self.version("news", "1", News::Yes), self.version("news", "2", News::Yes));
        self.tell(&first, Try::First).await.unwrap();
        let between = self.another("news-between");
        self.tell(&between, Try::First).await.unwrap();
        for attempt in [Try::First, Try::Again] {
            self.tell(&second, attempt).await.unwrap();
            assert_eq!(self.versions(&second), [second.text.trim()], "news");
            assert!(self.place(&between.marker) < self.place(&second.marker), "nobody was told");
        }
    }

    async fn a_version_that_arrived_without_an_answer_is_seen_once(&self) {
        let versions = [
            self.version("lost", "1", News::No),
            self.version("lost", "2", News::No),
            self.version("lost", "3", News::Yes),
        ];
        for version in versions {
            (self.weather)(Weather::LosesAnswer);
            let lost = self.tell(&version, Try::First).await;
            assert!(matches!(lost, Err(Failure::Retry { .. })), "{lost:?}");
            (self.weather)(Weather::Fair);
            self.tell(&version, Try::Again).await.unwrap();
            assert_eq!(self.versions(&version), [version.text.trim()], "after a lost answer");
        }
    }

    async fn a_notice_is_a_version_too(&self) {
        let (first, second) =
            (self.version("notice", "1", News::No), self.version("notice", "2", News::No));
        self.tell(&first, Try::First).await.unwrap();
        let notice = Notice {
            rule: second.rule.clone(),
            subject: second.subject.clone(),
            text: second.text.clone(),
            marker: second.marker.clone(),
            board: second.board.clone(),
            series: None,
        };
        for attempt in [Try::First, Try::Again] {
            self.reporter.notify(&notice, attempt).await.unwrap();
            assert_eq!(self.versions(&second), [second.text.trim()], "as a notice");
        }
    }

    async fn boards_of_other_words_are_left_alone(&self) {
        let (one, other) =
            (self.version("one", "1", News::No), self.version("other", "1", News::Yes));
        self.tell(&one, Try::First).await.unwrap();
        self.tell(&other, Try::First).await.unwrap();
        assert_eq!(self.versions(&one).len(), 1, "the one");
        assert_eq!(self.versions(&other).len(), 1, "the other");
    }

    /// A version of the board of this name.
    fn version(&self, board: &str, number: &str, news: News) -> Report {
        let mut report = self.another(&format!("{board}-{number}"));
        let word = format!("{}-board-{board}", self.report.marker);
        report.text = format!("{}\n\n{word}", report.text);
        report.board = Some(Board { word, is_news: matches!(news, News::Yes) });
        report
    }

    /// The comments that are versions of the same board.
    fn versions(&self, report: &Report) -> Vec<String> {
        let word = report.board.as_ref().map(|board| board.word.as_str()).unwrap();
        let seen = (self.seen)().into_iter().filter(|text| text.contains(word));
        seen.map(|text| text.trim().to_owned()).collect()
    }

    /// At which place people see it.
    fn place(&self, marker: &str) -> Option<usize> {
        let place = (self.seen)().iter().position(|text| text.contains(marker));
        assert!(place.is_some(), "{marker} is not seen");
        place
    }
}
