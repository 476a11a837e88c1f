//! What can come of things, as the labels of counters.

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageResult {
    /// It was read into an event.
    Read,
    /// Its topic says that it is of no interest.
    Ignored,
    /// It could not be read.
    Dead,
    /// It had been stored before.
    Repeat,
    /// No rule can want its topic, so nobody looked at it.
    PassedOver,
}

impl MessageResult {
    pub(super) const ALL: [Self; 5] =
        [Self::Read, Self::Ignored, Self::Dead, Self::Repeat, Self::PassedOver];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ignored => "ignored",
            Self::Dead => "dead",
            Self::Repeat => "repeat",
            Self::PassedOver => "passed_over",
        }
    }
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookResult {
    /// It is durable.
    Accepted,
    /// It had been stored before.
    Repeat,
    /// No rule can want its topic, so it was not stored.
    Ignored,
    /// The sender tried whether we are there.
    Ping,
    /// It has no signature.
    Unsigned,
    /// Its signature is wrong.
    Forged,
    /// It is nothing that can be read.
    Malformed,
    /// It is larger than anything that is read.
    TooLarge,
    /// It took too long to come.
    Slow,
    /// There is no room for it now.
    Full,
}

impl WebhookResult {
    pub(super) const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Repeat,
        Self::Ignored,
        Self::Ping,
        Self::Unsigned,
        Self::Forged,
        Self::Malformed,
        Self::TooLarge,
        Self::Slow,
        Self::Full,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeat => "repeat",
            Self::Ignored => "ignored",
            Self::Ping => "ping",
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::Full => "full",
        }
    }
}

/// What became of an artifact that a producer announced at our door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnouncementResult {
    /// It is durable.
    Accepted,
    /// It had been stored before.
    Repeat,
    /// The producer may not announce it.
    Forbidden,
    /// It is nothing that can be read.
    Malformed,
    /// It is larger than anything that is read.
    TooLarge,
    /// It took too long to come.
    Slow,
    /// There is no room for it now.
    Full,
}

impl AnnouncementResult {
    pub(super) const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Repeat,
        Self::Forbidden,
        Self::Malformed,
        Self::TooLarge,
        Self::Slow,
        Self::Full,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeat => "repeat",
            Self::Forbidden => "forbidden",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::Full => "full",
        }
    }
}

/// What came of reading the rules' files again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// What is in them is in force.
    Ok,
    /// They cannot be used.
    Faulty,
    /// They are what is in force.
    Unchanged,
}

impl ReloadResult {
    pub(super) const ALL: [Self; 3] = [Self::Ok, Self::Faulty, Self::Unchanged];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Faulty => "faulty",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What came of one try of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    /// It is done.
    Done,
    /// It failed and will be tried again.
    Retried,
    /// It was given up.
    Buried,
    /// A newer one has replaced it.
    Superseded,
}

impl ActionOutcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Buried => "buried",
            Self::Superseded => "superseded",
        }
    }
}
