//! `PL1…`: data at rest, keys, backups and evidence.

use super::{Code, codes};

pub(super) const CODES: &[Code] = codes! {
    "PL1001" 503 "the data directory is in use"
        at: "starting an engine, and commands that open a project's data themselves"
        what: "Another process holds the lock of the data directory. One engine at a time may have a project's data open, so that no two of them can write the log or spend the same approval."
        help: "stop the other engine, or talk to it with --server"
        next: "While an engine runs, give commands `--server URL` (or run them in the project, where they find it) and they go through it. If no engine should be running, the message names the lock; it is let go by the system when its process ends, so there is never a stale file to remove.";
    "PL1002" 500 "the data directory cannot be read"
        at: "starting an engine, and commands on a data directory"
        what: "The directory or a file in it is missing, is not a Placet project, or the system refuses to read it. The message names the path and what the system said."
        help: "check that the path is a Placet project and that you may read it"
        next: "Check --data or the project folder, the owner and permissions of the files, and that the disk is mounted. Where only derived tables are missing, `placet projections rebuild` makes them again from the log.";
    "PL1003" 500 "a stored record is damaged"
        at: "any command or request that reads the log or a payload; `placet audit verify`"
        what: "A record read back from disk is not what was written: its check, digest or form is wrong. Placet reports it instead of going on with wrong data. The message names the position in the log or the key of the row."
        help: "restore from a backup; nothing was changed"
        next: "Run `placet audit verify` to learn how far the damage goes, keep a copy of the directory as it is, and look at the disk. Then restore the newest backup with `placet restore`; what was sent after it comes back to people as in doubt and is not sent twice.";
    "PL1004" 500 "the key file is missing or wrong"
        at: "starting an engine, and commands that must read content"
        what: "The project's keys lie outside its data. Either they are not where they are looked for, or they are those of another project, and nothing that was sealed with the right ones can be read."
        help: "put the key file back where the message says, or set PLACET_KEY_DIR"
        next: "Put back the key directory that belongs to this install (a backup tells its install id). Do not make a new key over an old project: content that was sealed before would be lost for good.";
    "PL1005" 500 "an event has an unknown type or version"
        at: "opening the log"
        what: "The log holds an event, or the data a format, that this Placet does not know: they were written by a newer one. A reader that skipped what it does not know would show a wrong state, so it stops."
        help: "open the project with the newer Placet that wrote it"
        next: "`placet --version` says which one this is. Upgrade it. There is no way to go back to an older version with data that a newer one has written, except a backup from before.";
    "PL1006" 503 "a commit failed and its outcome is unknown"
        at: "anything that records something, while the disk fails"
        what: "The disk answered a commit with an error. Whether the commit is on disk cannot be known from here, so the engine takes nothing more and says neither yes nor no."
        help: "restart the engine: it reads back what was recorded"
        next: "Look at the disk and the system's log, then start the engine again. It reads what is there and goes on from it. Send the same request again with the same request id or idempotency key: it is done once, whichever way the commit went.";
    "PL1007" 500 "placet.toml cannot be used"
        at: "`placet check`, `dev`, `serve` and every command in a project"
        what: "A key of placet.toml, or an environment variable that stands for one, is unknown, has a value that cannot be, or asks for something that is not there."
        help: "see the position in the message"
        next: "The message names file, line and column, or the variable, with the nearest known key. `placet check` checks the file without starting anything; an editor with `schemas/project.json` completes its keys.";
    "PL1008" 503 "the disk is full or cannot be written"
        at: "anything that records something"
        what: "The system refuses to write the data: no space, a quota, or a file system that is read-only. What cannot be recorded is not sent, so everything outbound stands still."
        help: "make room, or make it writable, then start the engine again; nothing is sent meanwhile"
        next: "Nothing that was acknowledged is lost. `placet compact` rewrites the files without what was erased, once there is room for the copy.";
    "PL1009" 500 "the backup or the restore is not whole"
        at: "`placet backup`, `placet restore`"
        what: "A copy was broken off or has other digests than its manifest says, or the target is not empty. A partial copy is never taken for a project."
        help: "see the message; nothing of the project was changed"
        next: "Make the backup again, or restore from another one into an empty directory. What was written of an unfinished one may be removed.";
    "PL1010" 500 "the data are a copy, or older than the project was"
        at: "starting an engine"
        what: "Beside the project key stands where the log was last seen. These data do not continue it, or the last directory is still there: they are a copy or an old state, and between then and now anything may have been sent that they know nothing of."
        help: "use the current data, or begin a new epoch with `placet restore --copy`"
        next: "If there are newer data, use those. If this copy is to be the project from now on, `placet restore --copy` begins a new epoch: open approvals are void and asked for again, sends without a result are in doubt.";
    "PL1015" 500 "a derived table is damaged"
        at: "lists, the inbox, and starting an engine"
        what: "A row of a table that follows from the log is not what was written, or is missing. The log itself is not concerned."
        help: "run `placet projections rebuild`: the log has everything that was in it"
        next: "The rebuild works beside a running engine and switches at the end. `placet audit verify` tells whether the disk has damaged the log as well.";
    "PL1201" 503 "the data are older than what was signed"
        at: "starting an engine; `placet restore`"
        what: "A checkpoint was signed for this log that holds more events than are there now. Somebody has put back old data, or the end of the log was lost, and going on would fork a history that others may hold."
        help: "put the newest data back, or restore a backup with --accept-rollback"
        next: "With --accept-rollback a restore begins a new epoch: the loss is an event in the log, and auditors will see that the new history does not continue the signed one.";
    "PL1202" 500 "the evidence cannot be read"
        at: "`placet audit verify`, `prove`, `export`, and witnesses"
        what: "An export, checkpoint, proof or receipt lacks a part or has another form than it should, or the directory for an export is not empty. That says nothing yet about whether it is true."
        help: "see the message for what is missing"
        next: "Ask whoever made it for a whole copy. For an export, name an empty directory.";
    "PL1203" 500 "the evidence does not hold"
        at: "`placet audit verify`; signing of checkpoints"
        what: "A digest, a signature or a proof is wrong: what is shown is not what was signed, or a log does not continue an earlier checkpoint. That is either damage or somebody who changes history."
        help: "see the position in the message; ask for another copy"
        next: "Keep what you have, with the message. Get the export from another source, compare its checkpoint with what a witness has seen, and treat the first position that does not hold as the earliest event that may be forged.";
};
