//! The engine under test: `placet dev --mode live` as a process, with a NATS server where it is wanted.

use crate::Failure;
use crate::client::Door;
use crate::inbox::Desk;
use crate::site::Site;
use placet_test_support::dirs::Project;
use placet_test_support::nats::NatsServer;
use placet_test_support::process::{Placet, Running};
use std::os::unix::fs::MetadataExt as _;

const PLACET: &str = env!("CARGO_BIN_EXE_placet");

#[derive(Debug)]
pub(crate) struct Served {
    project: Project,
    site: String,
    nats: Option<NatsServer>,
    running: Option<(Running, Door)>,
}

/// What the engine has used so far: seconds, bytes resident, bytes in blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
}

impl Spent {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            cpu: self.cpu - before.cpu,
            memory: self.memory - before.memory,
            disk: self.disk - before.disk,
        }
    }
}

/// Whether events follow to a NATS server, which shares the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    ToNats,
    StayInTheLog,
}

impl Served {
    pub(crate) fn start(site: &Site, events: Events) -> Result<Self, Failure> {
        let site = site.address.to_string();
        let read = |name: &str| {
            format!(
                "  - {name}: {{ call: http, with: {{ method: get, endpoint: 'http://{site}/{name}' }} }}\n"
            )
        };
        let reads = format!(
            "document: {{ dsl: '1.0.3', namespace: bench, name: three-reads, version: '1.0.0' }}\ndo:\n{}{}{}",
            read("first"),
            read("second"),
            read("third")
        );
        let parked = format!(
            "document: {{ dsl: '1.0.3', namespace: bench, name: parked, version: '1.0.0' }}\ndo:\n  - draft: {{ set: {{ text: Hello }} }}\n  - send: {{ call: http, with: {{ method: post, endpoint: 'http://{site}/send', body: {{ text: '${{ .text }}' }} }} }}\n"
        );
        let project = Project::new()
            .with("placet.toml", "project = \"bench\"\n\n[egress]\nread_hosts = [\"127.0.0.1\"]\n")
            .with_workflow("three-reads", &reads)
            .with_workflow("parked", &parked);
        let nats = match events {
            Events::ToNats => NatsServer::start_or_skip("approvals over NATS"),
            Events::StayInTheLog => None,
        };
        let mut served = Self { project, site, nats, running: None };
        served.start_again()?;
        Ok(served)
    }

    /// Starts the engine, which must not be running, and waits until it serves.
    pub(crate) fn start_again(&mut self) -> Result<(), Failure> {
        let dev = Placet::new(PLACET, &self.project)
            .args(["dev", ".", "--mode", "live", "--listen", "127.0.0.1:0"])
            .args(["--egress-allow", &self.site]);
        let dev = match &self.nats {
            Some(server) => dev.args(["--nats", &server.url()]),
            None => dev,
        };
        let running = dev.start();
        let link = running.stdout_line(|line| line.contains("http://"));
        let rest = link.strip_prefix("http://").and_then(|rest| rest.split_once("/login?token="));
        let (address, _) = rest.ok_or_else(|| format!("no login link: {link}"))?;
        let file = running.stdout_line(|line| line.starts_with("token "));
        let token = std::fs::read_to_string(file.trim_start_matches("token").trim())?;
        let door = Door { address: address.to_owned(), token: token.trim().to_owned() };
        self.running = Some((running, door));
        Ok(())
    }

    pub(crate) fn kill_9(&mut self) {
        if let Some((running, _)) = self.running.take() {
            running.kill_9();
        }
    }

    pub(crate) fn door(&self) -> Door {
        self.running.as_ref().expect("the engine runs").1.clone()
    }

    /// A client of the inbox over NATS; none where there is no server.
    pub(crate) fn desk(&self, runtime: &tokio::runtime::Runtime) -> Result<Option<Desk>, Failure> {
        let (Some(server), Some((running, door))) = (&self.nats, &self.running) else {
            return Ok(None);
        };
        running.stderr_line(|line| line.contains("nats is ready"));
        runtime.block_on(Desk::connect(&server.url(), door)).map(Some)
    }

    pub(crate) fn spent(&self) -> Result<Spent, Failure> {
        let (running, _) = self.running.as_ref().ok_or("the engine does not run")?;
        let process = format!("/proc/{}", running.id());
        let stat = std::fs::read_to_string(format!("{process}/stat"))?;
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let number = |place: usize| -> Result<f64, Failure> {
            Ok(fields.get(place).ok_or("stat is short")?.parse()?)
        };
        let mut disk = 0.0;
        for entry in std::fs::read_dir(self.project.data())? {
            let blocks = u32::try_from(entry?.metadata()?.blocks())?;
            disk += f64::from(blocks) * 512.0;
        }
        let cpu = (number(11)? + number(12)?) / 100.0;
        Ok(Spent { cpu, memory: number(21)? * 4096.0, disk })
    }
}
