//! Documents that workflows name are fetched under the rules of every call.

use crate::common::{Behaviour, Secrets, StandIn};
use placet_egress::{DocumentError, Egress, EgressConfig};
use placet_model::plan::Authentication;
use std::sync::Arc;

fn egress(allowed: &[&StandIn]) -> Egress {
    let allowed = allowed.iter().map(|stand_in| stand_in.address.to_string().parse().unwrap());
    let secrets = Secrets([("token".to_owned(), "s3cret".to_owned())].into());
    Egress::new(crate::common::live(), EgressConfig::allowing(allowed), Arc::new(secrets))
}

#[tokio::test]
async fn a_document_is_read_with_one_get_that_carries_nothing() {
    let stand_in =
        StandIn::answering("200 OK", "content-type: application/yaml\r\n", "a: 1\n").await;
    let text = egress(&[&stand_in]).document(&stand_in.url("/openapi.yaml"), None).await;
    assert_eq!(text.as_deref(), Ok("a: 1\n"));
    let requests = stand_in.requests().await;
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("GET /openapi.yaml HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(!requests[0].to_ascii_lowercase().contains("authorization"));
}

#[tokio::test]
async fn a_guarded_document_gets_its_secret_and_a_redirect_elsewhere_does_not() {
    let other = StandIn::answering("200 OK", "", "{}").await;
    let location = format!("location: {}\r\n", other.url("/moved"));
    let first = StandIn::answering("302 Found", &location, "").await;
    let bearer = Authentication::Bearer { token: "token".to_owned() };
    let text = egress(&[&first, &other]).document(&first.url("/a"), Some(&bearer)).await;
    assert_eq!(text.as_deref(), Ok("{}"));
    assert!(first.requests().await[0].contains("Bearer s3cret"));
    assert!(!other.requests().await[0].contains("s3cret"));
}

#[tokio::test]
async fn a_document_at_a_target_that_the_rules_forbid_is_not_fetched() {
    let stand_in = StandIn::answering("200 OK", "", "{}").await;
    for url in [
        stand_in.url("/a"),
        "http://example.com/a.json".to_owned(),
        "https://10.0.0.1/a.json".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://user:pass@example.com/".to_owned(),
    ] {
        let error = egress(&[]).document(&url, None).await.unwrap_err();
        let fits = matches!(error, DocumentError::Failed { .. } | DocumentError::Request { .. });
        assert!(fits, "{url}: {error}");
    }
    assert_eq!(stand_in.connects(), 0);
}

#[tokio::test]
async fn an_answer_that_is_no_document_is_an_error_that_names_the_url() {
    let fetch = async |stand_in: &StandIn| {
        egress(&[stand_in]).document(&stand_in.url("/a"), None).await.unwrap_err()
    };
    let stand_in = StandIn::answering("404 Not Found", "", "nothing here").await;
    let url = stand_in.url("/a");
    assert_eq!(fetch(&stand_in).await, DocumentError::Status { url, status: 404 });
    let large = format!("content-length: {}\r\n", (4 << 20) + 1);
    let answer = format!("HTTP/1.1 200 OK\r\n{large}\r\n{}", "x".repeat((4 << 20) + 1));
    let stand_in = StandIn::on("127.0.0.1:0", Behaviour::Answer(answer)).await;
    let error = fetch(&stand_in).await.to_string();
    assert!(
        error.contains("larger than 4194304 bytes") && error.contains(&stand_in.url("/a")),
        "{error}"
    );
}
