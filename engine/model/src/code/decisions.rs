//! `PL3…`: votes, signed decisions, the policy.

use super::{Code, codes};

pub(super) const CODES: &[Code] = codes! {
    "PL3001" 404 "unknown decision"
        at: "`placet inbox`, and every door of the inbox"
        what: "No request for a decision has this id, or it is none of your business: somebody whom an item does not concern is not told that it exists."
        help: "list yours with `placet inbox list`"
        next: "`placet inbox list --all` also shows what you may see without having to decide it. Act as the right user with --as, and check that you ask the right project.";
    "PL3002" 409 "the digest is not that of the draft"
        at: "voting"
        what: "Your vote names other bytes than those that wait: the draft was edited or drafted anew since you looked, or the digest is of another item. A vote is only ever for exactly what its voter saw."
        help: "fetch the card again and look at what changed"
        next: "`placet inbox show ID` shows the draft of now and its difference to the last revision. Vote with the digest that stands there.";
    "PL3003" 403 "the requester cannot approve"
        at: "voting"
        what: "You caused this run, and the requirement wants somebody else to agree."
        help: "somebody else must vote"
        next: "The card names who may. You can take the request back with `placet inbox withdraw ID`. Where nobody but you could ever approve, an admin has to change the policy.";
    "PL3004" 403 "unknown principal"
        at: "every door"
        what: "The policy in force has nobody of this name, so nothing can be said as them or about them."
        help: "an admin must add the principal to the policy"
        next: "Check the spelling (lower-case letters, digits, - and _). An admin adds them to policy.yaml and applies it with `placet policy apply`.";
    "PL3005" 409 "already voted"
        at: "voting"
        what: "Your vote on this revision of the draft is in the log, and it cannot be taken back or doubled."
        help: "one vote per person and draft revision"
        next: "`placet inbox show ID` shows the votes so far. If you have changed your mind while it is still open, ask somebody who may to reject it. After an edit there is a new revision and you may vote again.";
    "PL3006" 409 "the request has expired"
        at: "voting"
        what: "Nobody decided in time, and silence means no. What has expired can never be sent."
        help: "the workflow must ask again"
        next: "The run was told, and does what its workflow says about an expired approval. To ask again, start a new run. How long a request stays open is set by `expires` in policy.yaml.";
    "PL3007" 409 "the request is closed"
        at: "voting"
        what: "It was decided before your vote came, or was withdrawn, superseded or voided. The detail has its state."
        help: "see its state in the inbox"
        next: "`placet inbox show ID` tells who decided what and when. If your vote was the one that settled it and you repeat it with the same request id, you get the first answer instead of this.";
    "PL3008" 403 "not entitled to vote"
        at: "voting"
        what: "The requirement of this item asks for the votes of other people, or it was reassigned to fewer. Rights are those of the moment in which the vote arrives."
        help: "the card names who may"
        next: "Ask one of them. If you should be among them, an admin adds you to the group in policy.yaml, or somebody entitled delegates to you for a time.";
    "PL3009" 422 "a reason is required"
        at: "voting, withdrawing, reassigning"
        what: "The requirement wants a reason with this verdict; with a rejection, usually, so that whoever asked can do better."
        help: "add --reason"
        next: "Over NATS and HTTP the member is `reason`. It is kept sealed with the run, and shown to those who see the card.";
    "PL3010" 422 "the vote's time is outside the window"
        at: "voting"
        what: "The vote says that it was cast more than 15 minutes ago, or in the future. Votes that are kept and sent later could be somebody else's."
        help: "check your clock; votes are valid for 15 minutes"
        next: "Set the clock of the machine that votes (and of the engine's), and vote again with a new nonce.";
    "PL3011" 409 "the nonce was used before"
        at: "voting"
        what: "A nonce is good for one vote in the whole log, for ever: this is a replay, or a client that does not draw anew."
        help: "make a new nonce for each vote"
        next: "Take 16 random bytes for each act. To repeat a vote whose answer was lost, send it again with the same request id: that is known as the same act.";
    "PL3012" 403 "an agent cannot vote"
        at: "voting"
        what: "Whoever this is acts as an agent by kind or by role. Consent is for people, whatever else an agent may do."
        help: "a person must vote"
        next: "An agent can withdraw what it asked for itself. A person who also has the role agent needs a principal of their own.";
    "PL3013" 409 "the verdict does not fit the state"
        at: "voting, resolving"
        what: "What you want to say cannot be said of an item in this state: for example a vote on what was sent already, or a resolution of what never was in doubt."
        help: "see the state in the inbox"
        next: "Requested items take approve, reject, respond, edit, withdraw and reassign; items in doubt take sent, not_sent and give_up.";
    "PL3014" 409 "the run was cancelled"
        at: "voting"
        what: "The run that asked was stopped, and its decisions are void."
        help: "nothing can be sent for it any more"
        next: "Nothing is left to decide. Start a new run if it is still wanted.";
    "PL3016" 409 "the attempt is not in doubt"
        at: "`placet inbox resolve`"
        what: "There is nothing to resolve: the outcome of this send is known, or it has not been tried."
        help: "see its state in the inbox"
        next: "`placet inbox show ID` tells what became of it. The engine may have learned it from the provider while you were looking.";
    "PL3017" 403 "an unsigned vote is not accepted here"
        at: "voting with `serve`"
        what: "This engine takes decisions only as documents that are signed with a registered key, so that each can be proved without trusting the server."
        help: "make a key with `placet keys new`, have an admin register it, and vote again"
        next: "The command line signs by itself once there is a seed on your machine. Other clients sign the exact document that the card brings under `sign`.";
    "PL3018" 422 "the request id was used for something else"
        at: "every door that takes a request id or Idempotency-Key"
        what: "The same id came before with another act. Under one id there is one act and one answer."
        help: "make a new request id for each act"
        next: "Use a random id for each new act, and the old one only to repeat word for word what got no answer.";
    "PL3030" 403 "it is not sure enough who votes"
        at: "voting"
        what: "The requirement asks for a stronger proof of who says this (a session, an account that the server vouches for, a signature) than this door has of you."
        help: "sign in, or sign the vote, as the message asks"
        next: "The detail names what is needed and what you have. `placet keys new` and an admin's `placet keys register` give you a key to sign with.";
    "PL3031" 403 "not one of those who may break the glass"
        at: "`placet inbox break-glass`"
        what: "Only people whom the policy names may send alone in an emergency, and never what they have asked for or written themselves."
        help: "ask one of those whom the policy names under breakGlass"
        next: "`placet policy show` lists them. Where it names nobody, there is no emergency way and the usual votes are needed.";
    "PL3032" 409 "the standing approval does not settle it"
        at: "standing approvals"
        what: "A vote given in advance matches, but it is not enough: it lacks people, is used up for the day, is over, or the requirement has become stricter."
        help: "the people it lacks give theirs with `placet policy endorse`"
        next: "Meanwhile the item waits in the inbox for a vote like any other. The detail says what is lacking.";
    "PL3034" 409 "the act does not fit the policy in force"
        at: "`placet policy endorse`, reviews of emergencies"
        what: "What you endorse or review is not in the policy as it is now, or was endorsed or reviewed already, or you are not the one who can."
        help: "see the detail, and `placet policy show`"
        next: "Look at the policy in force, which may be another one than the file in your folder, and do what the detail asks.";
    "PL3041" 400 "the signed document has another form"
        at: "signed decisions"
        what: "A member of the document is missing, unknown, or of another form. Every byte of it is covered by the signature, so nothing is guessed or filled in."
        help: "see the member that is named; the card has the exact document"
        next: "Take the document from `sign` of the card, put verdict, nonce and time in, and sign those bytes without a change in between; the README has an example.";
    "PL3042" 403 "the signature does not verify"
        at: "signed decisions"
        what: "The signature is not that of these bytes by this key: the document was changed after it was signed, serialised anew, or signed with another seed."
        help: "sign the document exactly as it is sent, with the key that it names"
        next: "Sign the bytes that you send, not a parsed copy. The key is the public nkey (U…), the signature base64url without padding.";
    "PL3043" 403 "the document is for another log"
        at: "signed decisions"
        what: "The origin in the document names another install or project. A signature is good for one log only, so that consent cannot be carried elsewhere."
        help: "take the origin from the card"
        next: "Fetch the card from the engine that you vote at. After a restore as another project, documents that were signed before are of no use.";
    "PL3044" 403 "the key is not registered"
        at: "signed decisions"
        what: "Nobody has registered this public key, so it cannot be known whose word it is."
        help: "an admin registers it with `placet keys register USER KEY`"
        next: "`placet keys list` shows the keys that the engine knows. The admin should learn the key from you on another way than the one it is registered over.";
    "PL3045" 403 "the key is revoked"
        at: "signed decisions"
        what: "The key was revoked, and what it signs counts no more; neither do its earlier votes on what was not sent yet."
        help: "sign with a key that is in force, or make one with `placet keys new`"
        next: "If you did not expect this, ask an admin at once: somebody may hold your seed.";
    "PL3046" 403 "the key is somebody else's"
        at: "signed decisions"
        what: "The key is registered for another principal than the one who votes."
        help: "sign with your own key, as yourself"
        next: "Act as the principal the key belongs to, or remove the foreign seed from your machine. One key has one owner for ever.";
    "PL3047" 422 "the document is outside its time"
        at: "signed decisions"
        what: "The document says from when to when it is good, and now is not in between, or that span is longer than 15 minutes."
        help: "check your clock and sign anew; a document is good for 15 minutes at most"
        next: "A document that lay about is not consent of now. Look at the card again and sign a fresh one.";
    "PL3048" 422 "what goes with the document is not what was signed"
        at: "signed decisions"
        what: "Reason, text or new `with` travel beside the document, which holds their digests. What came has another digest."
        help: "send the text and the salt, or the `with`, whose digest was signed"
        next: "Send the very bytes that you digested: same spelling, same salt, same JSON.";
    "PL3049" 409 "the key was registered before"
        at: "`placet keys register`"
        what: "This key is or was somebody's. A key is registered once, also after it was revoked, so that old signatures keep their owner."
        help: "make a new key with `placet keys new`"
        next: "The detail says whose it is. If it is yours and in force, there is nothing to do.";
    "PL3050" 403 "an editor cannot approve their own words"
        at: "voting"
        what: "You have edited this draft, so what would be sent is yours, and the requirement wants somebody else to agree to it."
        help: "somebody else must vote on what was edited"
        next: "The card shows the difference that you made, and who may vote on it.";
    "PL3051" 422 "the edit cannot be taken"
        at: "`placet inbox edit`"
        what: "The new `with` does not fit the operation's schema, changes what an edit may not change, or gives the same bytes as before."
        help: "see the detail; the draft stays as it is"
        next: "An edit replaces the whole `with`: take the one from the card, change it, keep numbers and strings what they are.";
    "PL3052" 422 "it cannot be reassigned so"
        at: "`placet inbox reassign`"
        what: "A reassignment only narrows: those who are named must be able to decide this anyway, and be enough for what is required."
        help: "name users or groups who may decide it anyway, and enough of them"
        next: "The card lists who may. To let others decide, an admin changes the policy, or somebody entitled delegates.";
    "PL3053" 422 "these cannot be decided in one act"
        at: "`placet inbox approve ID ID …`, signed documents with several items"
        what: "Only items of one shape (operation, connection, mode, workflow step, requirement) are decided together, a hundred at most, each by its own digest; never what cannot be undone, is in doubt, or was edited. Nothing of the act was recorded."
        help: "see the detail of each; decide them one by one"
        next: "`placet inbox list --group` shows which items are of one shape, and `--shape` lists them.";
    "PL3060" 403 "the figures of others"
        at: "`placet inbox stats`, `GET /api/v1/inbox/stats`, `placet.v1.inbox.<user>.stats`"
        what: "How somebody decides (how long they take, what they let through) is told to themselves, and to admins, auditors and operators; never to other approvers."
        help: "ask for your own, or as an admin, auditor or operator"
        next: "Leave `--user` out, or ask an admin for the role of an auditor.";
    "PL3061" 422 "the channel cannot be used"
        at: "`[channels]` in placet.toml, when notices go out"
        what: "A channel names an operation that only sends, and all that the operation takes. This one does more than send, is unknown, or its fixed input does not fit the operation's schema. Nothing was sent on it."
        help: "name an operation that sends, and give it what it takes, under channels in placet.toml"
        next: "`placet adapters show PROVIDER` lists the operations with their effects and what they take.";
    "PL3070" 409 "connections of this provider are not paired"
        at: "`placet integrations pair`, `placet integrations connect --pair`"
        what: "Pairing binds a connection to the conversation from which a code is sent. The manifest of this provider does not say where a code would stand in what it posts."
        help: "name the recipient in the connection's settings instead"
        next: "`placet adapters show PROVIDER` has the settings; `notify_to` is whom notify.send reaches where the step names nobody.";
    "PL3071" 409 "nothing that the provider posts would be believed"
        at: "`placet integrations pair`, `placet integrations connect --pair`"
        what: "The code comes back in a message that the provider posts here, and this connection's credential lacks the secret that proves such messages. No code was made."
        help: "give the field that the detail names with `placet integrations rotate`, then pair"
        next: "`placet integrations hooks NAME on` has the provider post here, with that very secret. An engine in sandbox mode keeps no credentials and is posted nothing: start it with --mode live.";
    "PL3072" 409 "connecting has no further step"
        at: "`placet integrations complete`"
        what: "The manifest of the provider names nothing that is chosen after the credential was given, or nothing of this name, or it asks that only of connections that act for agents."
        help: "see `placet integrations show NAME`: what is pending stands there"
        next: "`placet adapters show PROVIDER` has the steps. Other settings are given by connecting again with --set.";
    "PL3073" 422 "it is none of the choices"
        at: "`placet integrations complete --choose`"
        what: "The provider was asked what there is to choose from, and what was given is neither the id nor the name of any of it, or it is the name of several. Nothing was changed."
        help: "list the choices: `placet integrations complete NAME`"
        next: "What the account behind the connection cannot see is not listed: a channel that the app was not invited to, or a mailbox that the person has no part in.";
    "PL3074" 409 "the connection is another one by now"
        at: "`placet integrations complete --choose`"
        what: "While the provider listed what there is to choose from, the connection was disconnected, or connected to another account. A choice is made among what the very account has, so nothing was changed."
        help: "look at it with `placet integrations show NAME`, and list the choices again"
        next: "A connection that is gone is connected again first: `placet integrations connect PROVIDER --name NAME`.";
    "PL3076" 409 "no such event comes in over this connection"
        at: "`placet triggers set`, `POST /api/v1/triggers`"
        what: "A trigger says of an event of a connection whether it starts runs. The manifest of this connection's provider declares no event of this type that could start one. Nothing was recorded."
        help: "name one of the events that the detail lists"
        next: "`placet triggers list` has every event of what is connected; `placet adapters show PROVIDER` has those of a provider.";
    "PL3078" 404 "there is no such trigger"
        at: "`placet triggers remove`, `POST /api/v1/triggers`"
        what: "Nothing is said of this event of this connection, or its trigger was removed before. Nothing was recorded."
        help: "take the names from `placet triggers list`"
        next: "An event that is to start no run while its connection stays is switched off: `placet triggers set NAME EVENT off`.";
    "PL3080" 422 "nothing says what is read here"
        at: "`placet check`, `run`, `deploy`"
        what: "A step reads something of a call's output that no response schema declares: the operation has none, its schema excludes the place, or its manifest keeps that part of the answer from tasks. It would be null in the sandbox, or in every run."
        help: "declare what comes back, or read what is declared"
        next: "For `call: http` and `call: openapi` write output: { schema: { format: json, document: … } } on the task, without `as`, and take the parts in later steps; `output: response` gives `statusCode` and `headers` without one. For an operation of a manifest add `output_schema`, and name what tasks need under `output`. `placet adapters show PROVIDER` lists what is there.";
    "PL3081" 409 "the answer cannot be recorded"
        at: "`placet adapters record`, `GET /api/v1/runs/{id}/answers`"
        what: "An example is made from what the log keeps of an answer. Here that is nothing: the data policy keeps no content of this workflow, the content was erased, the task failed on the answer, or the call was never answered by a provider."
        help: "take another run or attempt, whose content is kept"
        next: "`placet audit log --type ResponseDrifted` names attempts whose answer was not as declared; `data.keep` in placet.toml lists workflows whose content outlives their runs.";
    "PL3082" 422 "an example breaks its schema"
        at: "`placet check`, `placet adapters show`"
        what: "An example of an operation's answer, declared under `examples` of its response schema or recorded in adapters/answers, is not as that schema declares. The sandbox does not answer with it."
        help: "correct the example, or the schema if the provider really answers so"
        next: "An answer that was recorded because it differs is evidence that the schema is not the provider's: correct the schema of the manifest, and the example is used.";
    "PL3083" 409 "another generator has answered this run"
        at: "a run in the sandbox that goes on after an upgrade"
        what: "The sandbox makes the world of a run again from the calls that its log tells. What this run was answered was made by another version of the generator (`sandbox:generator` in the answers' stored fields), so this one might answer differently from what the run has seen. Nothing is answered."
        help: "start the run anew, or go on with the version of placet that began it"
        next: "Only runs in the sandbox are concerned, and only those that waited over the upgrade.";
};
