//! Pointsman stands beside a message broker: messages come in, rules decide, builds are started,
//! and what came of them is told where people look.
//!
//! The modules below stand in the order in which a message passes through them; each knows only
//! those before it, and [`service`] knows all.  `ARCHITECTURE.md` is the long form of this page.

pub mod clock;
pub mod secret;
pub mod message;
pub mod subject;
pub mod expression;
pub mod neutral;
pub mod yaml;
pub mod command;

pub mod envelope;
pub mod event;
pub mod topic;
pub mod action;
pub mod run;
pub mod decision;
pub mod producer;
pub mod directory;
pub mod rules;

pub mod remote;
pub mod telemetry;
pub mod ledger;
pub mod source;
pub mod hooks;
pub mod executors;
pub mod forges;
pub mod git;
pub mod reporters;
pub mod worker;

pub mod settings;
pub mod registry;
pub mod web;
pub mod service;
pub mod rehearsal;

pub mod sandbox;
pub mod demo;
pub mod cli;
