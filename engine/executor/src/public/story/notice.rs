//! Sentences about what people were told, and about how they approve.

use placet_model::event::notice::{
    AlarmKind, ApproverAlarmRaised, NoticeFailed, NoticeQueued, NoticeSent,
};

pub(super) fn queued(body: &NoticeQueued) -> String {
    let about: Vec<String> =
        body.about.iter().map(|(about, count)| format!("{count} {about}")).collect();
    format!("a notice to {} over {} was begun: {}", body.to, body.channel, about.join(", "))
}

pub(super) fn sent(body: &NoticeSent) -> String {
    let was = if body.would_have_sent { "would have been sent" } else { "was sent" };
    format!("the notice to {} over {} {was}", body.to, body.channel)
}

pub(super) fn failed(body: &NoticeFailed) -> String {
    let (to, channel) = (&body.to, &body.channel);
    let what = format!("try {} of the notice to {to} over {channel}", body.try_number);
    let why = format!("{}: {}", body.failure, body.cause);
    match body.retry_at {
        Some(at) => format!("{what} came to nothing ({why}); it is tried again at {at}"),
        None => format!("{what} came to nothing ({why}), and it is given up"),
    }
}

pub(super) fn alarm(body: &ApproverAlarmRaised) -> String {
    let (who, since, until) = (&body.approver, body.since, body.until);
    match body.alarm {
        AlarmKind::Rate => format!(
            "alarm: {who} approved {} requests between {since} and {until}, more than {} a minute",
            body.decisions, body.bound
        ),
        AlarmKind::QuickShare => format!(
            "alarm: {who} decided {} of {} requests between {since} and {until} within 3 seconds, more than {} per cent",
            body.quick, body.decisions, body.bound
        ),
    }
}
