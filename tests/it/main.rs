//! The tests that need more than one module, or something outside of the process.
#![cfg(test)]

mod world;

mod architecture;
mod broker;
mod conditions;
mod crashes;
mod door;
mod fedora;
mod forges;
mod images;
mod lost;
mod malformed;
mod outages;
mod polled;
mod pipelines;
mod reload;
mod repeats;
mod series;
mod slow;
mod story;
mod tongues;
mod webhooks;
