//! The project under test: its data, the engine that serves them, and the NATS server beside it.

use crate::Failure;
use crate::client::{Client, Door};
use crate::crowd::{self, Template};
use placet_bus::subjects::{HEADER_MESSAGE_ID, HEADER_POSITION};
use placet_log::{KeyPlace, Log, OpenOptions};
use placet_model::{Digest, RunId};
use placet_projections::{Projections, Source, Views};
use placet_test_support::dirs::Project;
use placet_test_support::nats::NatsServer;
use placet_test_support::process::{Placet, Running};
use serde_json::json;
use std::os::unix::fs::MetadataExt as _;
use tokio::runtime::Runtime;

const PLACET: &str = env!("CARGO_BIN_EXE_placet");
const PROJECT: &str = "bench";
/// Workflows, and the calls that they ask for; of the last there is one item only.
const WORKFLOWS: [(&str, &str); 4] = [
    ("messages", "{ call: slack.chat.postMessage, with: { channel: C1, text: 'Good morning' } }"),
    (
        "posts",
        "{ call: http, with: { method: post, endpoint: https://example.com/in, body: { a: 1 } } }",
    ),
    ("notices", "{ call: slack.chat.postMessage, with: { channel: C2, text: 'It is done' } }"),
    ("rare", "{ call: slack.chat.postMessage, with: { channel: C3, text: 'Seldom' } }"),
];

/// One step for each entry of the input.
const LONG: &str = "document: { dsl: '1.0.3', namespace: bench, name: long, version: '1.0.0' }\n\
    do:\n  - each: { for: { each: n, in: '$workflow.input.items' }, do: [ { wait: { wait: { milliseconds: 1 } } } ] }\n";

/// An open item.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) decision: String,
    pub(crate) digest: Digest,
    /// Its place in the list: a cursor.
    pub(crate) place: String,
}

#[derive(Debug)]
pub(crate) struct Place {
    project: Project,
    nats: NatsServer,
    running: Option<(Running, Door)>,
    templates: Vec<Template>,
    written: usize,
}

impl Place {
    /// A project in which a real engine has parked one run of each workflow.
    pub(crate) fn new(runtime: &Runtime) -> Result<Self, Failure> {
        let mut project = Project::new().with("placet.toml", &format!("project = \"{PROJECT}\"\n"));
        for (name, call) in WORKFLOWS {
            let text = format!(
                "document: {{ dsl: '1.0.3', namespace: bench, name: {name}, version: '1.0.0' }}\ndo:\n  - ask: {call}\n"
            );
            project = project.with_workflow(name, &text);
        }
        project = project.with_workflow("long", LONG);
        let nats = NatsServer::start_or_skip("the inbox over NATS").ok_or("no nats-server")?;
        let mut place = Self { project, nats, running: None, templates: vec![], written: 0 };
        place.start()?;
        let runs = runtime.block_on(park(place.door()))?;
        // its events have to be in the stream before more are said to be
        place.stop();
        let log = place.log()?;
        let view = log.read()?;
        let templates = runs.into_iter().map(|run| Template::of(&view, run));
        place.templates = templates.collect::<Result<_, _>>()?;
        place.templates.pop();
        Ok(place)
    }

    fn log(&self) -> Result<Log, Failure> {
        let env = self.project.env();
        let keys = env.iter().find(|(name, _)| name == "PLACET_KEY_DIR");
        let keys = keys.map(|(_, dir)| dir.clone()).ok_or("no key directory")?;
        let options = OpenOptions::new(self.project.data(), PROJECT);
        Ok(Log::open(options.keys(KeyPlace::Directory(keys)).projector(Projections::new()))?)
    }

    /// Writes runs until so many have been written.
    pub(crate) fn fill(&mut self, runtime: &Runtime, items: usize) -> Result<usize, Failure> {
        let log = self.log()?;
        let more = items.saturating_sub(self.written);
        let at = log.read()?.events(log.head()).next().ok_or("an empty log")??.recorded_at;
        crowd::fill(&log, &self.templates, (self.written, more), at)?;
        self.written += more;
        let (name, head) = (log.install_id(), log.head());
        drop(log);
        runtime.block_on(self.told(&name, head.get()))?;
        Ok(more)
    }

    /// The stream is said to hold all events so far: its next one is the first that this run adds.
    async fn told(&self, log: &str, head: u64) -> Result<(), Failure> {
        let client = async_nats::connect(self.nats.url()).await?;
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(HEADER_MESSAGE_ID, format!("{log}:{head}").as_str());
        headers.insert(HEADER_POSITION, head.to_string().as_str());
        let subject = format!("placet.v1.ev.{PROJECT}.RunStarted");
        let answer = client.request_with_headers(subject, headers, "{}".into()).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
        match answer.get("error") {
            None => Ok(()),
            Some(error) => Err(format!("the stream took no message: {error}").into()),
        }
    }

    /// Items all over the list, at random places that are the same in every run.
    pub(crate) fn choose(&self, count: usize) -> Result<Vec<Item>, Failure> {
        const PAGE: usize = 10_000;
        let log = self.log()?;
        let view = log.read()?;
        let views = Views::new(&view)?;
        let open = usize::try_from(views.open_count(100)?.unwrap_or(0))?;
        let each = (open / count.max(1)).max(1);
        let (mut chosen, mut after, mut seen) = (vec![], None, 0);
        loop {
            let rows = views.inbox(&[Source::All], after, PAGE)?;
            for row in &rows {
                if seen % each == each / 2 && row.workflow.name != "rare" {
                    let place = row.place.ok_or("an open item without a place")?;
                    let (decision, place) = (row.decision.to_string(), place.to_string());
                    chosen.push(Item { decision, digest: row.digest, place });
                }
                seen += 1;
            }
            after = rows.last().and_then(|row| row.place);
            if rows.len() < PAGE {
                break;
            }
        }
        chosen.truncate(count);
        // mixed, so that neighbours are not asked for one after the other
        chosen.sort_by_cached_key(|item| Digest::of(item.decision.as_bytes()).hex());
        Ok(chosen)
    }

    /// Starts the engine and waits until it answers at both doors.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        let running = Placet::new(PLACET, &self.project)
            .args(["dev", ".", "--listen", "127.0.0.1:0", "--nats", &self.nats.url()])
            .start();
        let link = running.stdout_line(|line| line.contains("http://"));
        let rest = link.strip_prefix("http://").and_then(|rest| rest.split_once("/login?token="));
        let (address, _) = rest.ok_or_else(|| format!("no login link: {link}"))?;
        let file = running.stdout_line(|line| line.starts_with("token "));
        let token = std::fs::read_to_string(file.trim_start_matches("token").trim())?;
        let door = Door { address: address.to_owned(), token: token.trim().to_owned() };
        running.stderr_line(|line| line.contains("nats is ready"));
        self.running = Some((running, door));
        Ok(())
    }

    pub(crate) fn stop(&mut self) {
        if let Some((running, _)) = self.running.take() {
            running.terminate();
        }
    }

    pub(crate) fn door(&self) -> Door {
        self.running.as_ref().expect("the engine runs").1.clone()
    }

    pub(crate) fn nats(&self) -> String {
        self.nats.url()
    }

    /// Milliseconds of CPU that the engine has used so far.
    pub(crate) fn cpu(&self) -> Result<f64, Failure> {
        let (running, _) = self.running.as_ref().ok_or("the engine does not run")?;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.id()))?;
        // behind the name, which may hold blanks: user and system time are the 12th and 13th, in 1/100 s
        let fields = stat.rsplit_once(") ").ok_or("stat is odd")?.1.split(' ').skip(11).take(2);
        let ticks: Vec<f64> = fields.map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() * 10.0)
    }

    /// Megabytes that the engine has resident.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let (running, _) = self.running.as_ref().ok_or("the engine does not run")?;
        let pages = std::fs::read_to_string(format!("/proc/{}/statm", running.id()))?;
        let resident: f64 = pages.split(' ').nth(1).ok_or("statm is short")?.parse()?;
        Ok(resident * 4096.0 / 1e6)
    }

    /// Bytes in blocks: redb's files are sparse.
    pub(crate) fn on_disk(&self) -> Result<f64, Failure> {
        let mut bytes = 0.0;
        for entry in std::fs::read_dir(self.project.data())? {
            bytes += f64::from(u32::try_from(entry?.metadata()?.blocks())?) * 512.0;
        }
        Ok(bytes)
    }
}

async fn park(door: Door) -> Result<Vec<RunId>, Failure> {
    let mut client = Client::connect(&door).await?;
    let mut runs = vec![];
    for (name, _) in WORKFLOWS {
        let body = json!({ "workflow": format!("bench/{name}") });
        let asked = client.post("author", "/api/v1/runs?wait=60", &body).await?;
        let run = asked["run"].as_str().ok_or_else(|| format!("no run: {asked}"))?;
        runs.push(run.parse()?);
    }
    Ok(runs)
}
