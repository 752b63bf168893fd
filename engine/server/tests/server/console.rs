//! The console over plain HTTP: what a browser without scripts sees and can do.

mod bulk;
mod card;
mod edit;
mod audit;
mod first;
mod forms;
mod html;
mod inbox;
mod integrations;
mod pages;
mod runs;
mod surf;
mod xss;
mod policy;
mod surf;
mod workflows;
