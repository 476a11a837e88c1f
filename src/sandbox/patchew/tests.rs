//! What the stand-in answers, asked of it directly.
