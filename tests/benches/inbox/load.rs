//! Many callers at once, by `wrk` (Debian's package of that name): requests a second and how long an
//! answer takes, of one that reads, and of decisions, each on an item of its own.

use crate::Failure;
use crate::place::{Item, Place};
use std::fmt::Write as _;
use std::process::Command;

/// Items at most that are decided; where they are used up before the time is, that is said.
pub(crate) const DECISIONS: usize = 60_000;
const SECONDS: u32 = 5;
const CALLERS: [u32; 3] = [1, 16, 64];

/// Asks for the next item on each request; behind the last one, for something that is no item.
const DECIDE: &str = r#"
local items = {}
for line in io.lines(os.getenv("ITEMS")) do items[#items + 1] = line end
local at = tonumber(os.getenv("FIRST"))
request = function()
  at = at + 1
  local id, digest = string.match(items[at] or "none none", "(%S+) (%S+)")
  local body = '{"verdict":"approve","digest":"' .. digest .. '"}'
  return wrk.format("POST", "/api/v1/decisions/" .. id .. "/votes", nil, body)
end
done = function(summary) print("asked " .. summary.requests) end
"#;

pub(crate) fn measure(place: &Place, items: &[Item]) -> Result<(), Failure> {
    if Command::new("wrk").arg("--version").output().is_err() {
        println!("  skipped: many callers at once (no wrk; Debian has it)");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let (script, list) = (dir.path().join("decide.lua"), dir.path().join("items"));
    std::fs::write(&script, DECIDE)?;
    let mut lines = String::new();
    for item in items {
        writeln!(lines, "{} {}", item.decision, item.digest)?;
    }
    std::fs::write(&list, lines)?;
    let card = format!("/api/v1/decisions/{}", items.last().ok_or("no items")?.decision);
    let page = card.replace("/api/v1/decisions", "/inbox");
    println!("  {:<34} {:>7} {:>9} {:>9} {:>9}", "wrk", "callers", "/s", "p50", "p99");
    for (name, path) in [
        ("GET list, first page of 50", "/api/v1/inbox?limit=50"),
        ("GET one decision", card.as_str()),
        ("GET the inbox's page", "/inbox"),
        ("GET a card's page", page.as_str()),
    ] {
        for callers in CALLERS {
            let said = wrk(place, callers, path, &[])?;
            println!("  {name:<34} {callers:>7} {}", figures(&said)?);
        }
    }
    let mut used = 0;
    for callers in CALLERS {
        let first = used.to_string();
        let env = [("ITEMS", list.to_string_lossy()), ("FIRST", first.into())];
        let env = env.each_ref().map(|(name, value)| (*name, value.as_ref()));
        let said = wrk(place, callers, &script.to_string_lossy(), &env)?;
        println!("  {:<34} {callers:>7} {}", "POST a vote, approve", figures(&said)?);
        let asked = said.lines().find_map(|line| line.strip_prefix("asked "));
        // those under way at the end were asked too
        used += asked.ok_or("wrk did not count")?.trim().parse::<usize>()?;
        used += usize::try_from(callers)?;
    }
    Ok(())
}

/// With an environment, `what` is a script, else a path.
fn wrk(place: &Place, callers: u32, what: &str, env: &[(&str, &str)]) -> Result<String, Failure> {
    let door = place.door();
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "--latency", "-c", &callers.to_string(), "-d", &format!("{SECONDS}s")]);
    wrk.args(["-H", &format!("authorization: Bearer {}", door.token)]);
    wrk.args(["-H", "placet-as: approver", "-H", "content-type: application/json"]);
    let path = if env.is_empty() { what } else { "/" };
    if !env.is_empty() {
        wrk.args(["-s", what]);
    }
    wrk.arg(format!("http://{}{path}", door.address)).envs(env.iter().copied());
    let output = wrk.output()?;
    let said = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("wrk: {said}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(said)
}

/// Requests a second, the median and p99 as `wrk` writes them, and what was not answered well.
fn figures(said: &str) -> Result<String, Failure> {
    let behind =
        |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let missing = || format!("wrk printed no figures: {said}");
    let rate = behind("Requests/sec:").ok_or_else(missing)?;
    let (p50, p99) = (behind("50%").ok_or_else(missing)?, behind("99%").ok_or_else(missing)?);
    let bad = behind("Non-2xx or 3xx responses:")
        .map_or_else(String::new, |bad| format!("   {bad} refused: items were used up, or worse"));
    Ok(format!("{rate:>9} {p50:>9} {p99:>9}{bad}"))
}
