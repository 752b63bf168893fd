//! The console over plain HTTP: what a browser without scripts sees and can do.

mod bulk;
mod card;
mod edit;
mod first;
mod forms;
mod html;
mod inbox;
mod pages;
mod runs;
mod surf;
mod xss;
