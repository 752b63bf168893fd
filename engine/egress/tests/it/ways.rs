//! The same exam on the other ways out: mail servers, authorization servers, and whatever a proxy in
//! the environment would be. A listener counts who has connected.
//!
//! covers: S14

use crate::common::{Behaviour, Secrets, StandIn, call, request};
use crate::mail_server::{mail, rendered};
use crate::ssrf::{Lies, SPELLINGS};
use placet_adapters::{Cause, Phase, Redirects, Transport as _};
use placet_egress::{Egress, EgressConfig, Lookup};
use placet_model::request::HoledText;
use serde_json::json;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const CHILD: &str = "PLACET_TEST_BEHIND_A_PROXY";

fn secrets() -> Arc<Secrets> {
    Arc::new(Secrets([("password".to_owned(), "s3cret-pw".to_owned())].into()))
}

/// A mail whose bytes name this server, as if settings had let it through.
fn mail_to(url: &str) -> placet_adapters::Call {
    let settings =
        json!({"server": "smtps://mail.example.com", "user": "robot", "from": "a@example.com"});
    let mut call = rendered("smtp.messages.send", &settings, &mail());
    Arc::make_mut(&mut call.request).url = HoledText::plain(url);
    call
}

fn config(port: u16) -> EgressConfig {
    let mut config = EgressConfig::default();
    config.ports.insert(port);
    config.mail_ports.insert(port);
    config
}

#[tokio::test]
async fn no_spelling_of_a_private_mail_server_is_dialled() {
    let v4 = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
    let v6 = StandIn::on("[::1]:0", Behaviour::Silence).await;
    let mut asked = 0;
    for victim in [&v4, &v6] {
        let port = victim.address.port();
        let egress = Egress::new(crate::common::live(), config(port), secrets());
        for spelling in
            SPELLINGS.iter().chain(&["a@127.0.0.1", "[fe80::1%25eth0]", "127.0.0.1#", ""])
        {
            for scheme in ["smtps", "smtp", "smtp-plain"] {
                let url = format!("{scheme}://{spelling}:{port}");
                let failed = egress.perform(mail_to(&url)).await.unwrap_err();
                let told = (failed.phase, failed.cause);
                assert_eq!(told, (Phase::BeforeSend, Cause::Refused), "{url}: {failed}");
                asked += 1;
            }
        }
    }
    println!("{asked} mails, {} connections", v4.connects() + v6.connects());
    assert_eq!(v4.connects() + v6.connects(), 0);
}

#[tokio::test]
async fn no_name_of_a_private_mail_server_is_dialled_and_none_is_asked_for_twice() {
    let victim = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
    let port = victim.address.port();
    for address in
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"]
    {
        // the first answer is private; a second look would get a public one
        let lookup = Lies::new(&[&[address], &["192.0.2.1"]]);
        let shared = Arc::clone(&lookup) as Arc<dyn Lookup>;
        let egress = Egress::with_lookup(crate::common::live(), (config(port), secrets()), shared);
        for scheme in ["smtps", "smtp"] {
            let url = format!("{scheme}://rebind.example:{port}");
            let failed = egress.perform(mail_to(&url)).await.unwrap_err();
            let told = (failed.phase, failed.cause);
            assert_eq!(told, (Phase::BeforeSend, Cause::Refused), "{address}: {failed}");
        }
        assert_eq!(lookup.asked.load(Ordering::SeqCst), 2, "{address}: once for each mail");
    }
    assert_eq!(victim.connects(), 0);
}

#[tokio::test]
async fn a_password_goes_in_the_clear_to_this_machine_alone() {
    let victim = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
    let port = victim.address.port();
    let egress = Egress::new(crate::common::live(), config(port), secrets());
    let failed = egress.perform(mail_to(&format!("smtp-plain://mail.example.com:{port}"))).await;
    assert_eq!(failed.unwrap_err().cause, Cause::Refused);
    assert_eq!(victim.connects(), 0);
}

/// Runs itself with every variable that names a proxy, and the listener counts.
#[test]
fn no_proxy_of_the_environment_is_used() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "ways::behind_a_proxy", "--nocapture"]).env(CHILD, "1");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SOCKS_PROXY", "FTP_PROXY"] {
        child.env(name, &url).env(name.to_lowercase(), &url);
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("went past the proxy"), "{said}");
    let connects = std::iter::from_fn(|| proxy.accept().ok()).count();
    println!("{connects} connections to the proxy");
    assert_eq!(connects, 0);
}

/// The other half: what it asks for is answered by whom it asks, and by nobody between.
#[tokio::test]
async fn behind_a_proxy() {
    let stand_in = StandIn::answering("200 OK", "", "direct").await;
    let listed = [stand_in.address.to_string().parse().unwrap()];
    let egress = Egress::new(crate::common::live(), EgressConfig::allowing(listed), secrets());
    for redirects in [Redirects::Never, Redirects::Follow] {
        let call = call(request("GET", &stand_in.url("/"), ""), redirects);
        assert_eq!(egress.perform(call).await.unwrap().body, b"direct");
    }
    for url in ["https://127.0.0.1:1/", "http://localhost:1/", "https://[::1]/"] {
        let call = call(request("GET", url, ""), Redirects::Follow);
        assert_eq!(egress.perform(call).await.unwrap_err().cause, Cause::Refused, "{url}");
    }
    let listed = [stand_in.address.to_string().parse().unwrap()];
    let egress = Egress::new(crate::common::live(), EgressConfig::allowing(listed), secrets());
    let mut mail = mail_to(&format!("smtp-plain://{}", stand_in.address));
    mail.timeout = std::time::Duration::from_millis(400);
    // the stand-in speaks no SMTP, but it is the one that is spoken to
    assert_eq!(egress.perform(mail).await.unwrap_err().phase, Phase::BeforeSend);
    assert_eq!(stand_in.connects(), 3);
    println!("went past the proxy");
}
