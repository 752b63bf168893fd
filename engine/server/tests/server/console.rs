//! The console over plain HTTP: what a browser without scripts sees and can do.

mod audit;
mod bulk;
mod card;
mod charts;
mod edit;
mod first;
mod forms;
mod html;
mod inbox;
mod integrations;
mod pages;
mod policy;
mod runs;
mod surf;
mod workflows;
mod xss;
mod you;
