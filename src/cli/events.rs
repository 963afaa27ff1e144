//! `diarch events`.

use std::io::Write;

use anyhow::anyhow;

use super::failure::{FAILED, Failure};
use super::table::{Style, styled};
use super::words::moment;
use super::{Terminal, args};
use crate::client::{Client, EventLine};
use crate::status::{Event, Kind};

/// Least widths of the columns that differ from line to line: a stream cannot know the widest.
const SUBJECT: usize = 13;
const WORD: usize = 11;

pub(super) fn events(
    options: &args::Options,
    args: &args::Events,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    super::block_on(async {
        let client = Client::new(&options.runtime_dir);
        let failed = |error| Failure::client(error, &options.config);
        if !args.follow {
            let lines = client.events(args.lines).await.map_err(failed)?;
            return lines.iter().try_for_each(|line| show(line, options.json, terminal));
        }
        let mut stream = client.follow(args.lines).await.map_err(failed)?;
        while let Some(line) = stream.next().await.map_err(failed)? {
            // The present state begins a stream: good for programs, noise to people.
            if options.json || !line.event.current {
                show(&line, options.json, terminal)?;
                terminal.out.flush()?;
            }
        }
        Err(Failure::new(FAILED, anyhow!("the daemon ended the stream: it stops or restarts")))
    })?
}

fn show(line: &EventLine, json: bool, terminal: &mut Terminal) -> Result<(), Failure> {
    if json {
        writeln!(terminal.out, "{}", line.text)?;
    } else {
        writeln!(terminal.out, "{}", sentence(&line.event))?;
    }
    Ok(())
}

/// One event as one line: when, what, how, why, by whom. With terminal codes.
fn sentence(event: &Event) -> String {
    let object = event.object.split_once('/').map_or(event.object.as_str(), |(_, rest)| rest);
    let (subject, part) = match object.split_once('/') {
        Some((subject, part)) => (subject, Some(part)),
        None => (object, None),
    };
    let (word, style) = word(&event.kind);
    let pad = " ".repeat(WORD.saturating_sub(word.chars().count()));
    let shown = styled(&word, style);
    let detail = [part.map(str::to_owned), change(event, &word), reason(event)];
    let detail: Vec<String> = detail.into_iter().flatten().collect();
    let detail = detail.join(": ");
    let actor = event.actor.as_ref().map_or_else(String::new, |actor| format!(", by {actor}"));
    let line =
        format!("{}  {subject:<SUBJECT$}  {shown}{pad}  {detail}{actor}", moment(event.time));
    line.trim_end().to_owned()
}

/// `1 -> 0`; what the word says already is not said again.
fn change(event: &Event, word: &str) -> Option<String> {
    let (from, to) = (event.from.as_deref()?, event.to.as_deref()?);
    let said = to.eq_ignore_ascii_case(word);
    (!said).then(|| format!("{from} -> {to}"))
}

fn reason(event: &Event) -> Option<String> {
    event.cause.as_ref().map(|cause| cause.detail.clone())
}

/// The kind in a word, in capitals where it is bad news.
fn word(kind: &Kind) -> (String, Style) {
    let text = kind.to_string();
    let (family, last) = text.split_once('.').unwrap_or(("", &text));
    let word = if family == "vip" { format!("vip {last}") } else { last.to_owned() };
    if is_bad(kind) { (word.to_uppercase(), Style::Bad) } else { (word, Style::Plain) }
}

const fn is_bad(kind: &Kind) -> bool {
    match kind {
        Kind::VrrpFault
        | Kind::VrrpConflict
        | Kind::VipError
        | Kind::ServiceDegraded
        | Kind::ServiceDown
        | Kind::RealServerDown
        | Kind::KernelError
        | Kind::ConfigRefused => true,
        Kind::VrrpInit
        | Kind::VrrpActive
        | Kind::VrrpBackup
        | Kind::VipAdded
        | Kind::VipRemoved
        | Kind::VipRestored
        | Kind::ServiceUp
        | Kind::RealServerUp
        | Kind::RealServerUnknown
        | Kind::KernelDrift
        | Kind::KernelInSync
        | Kind::ConfigLoaded
        | Kind::DaemonStarted
        | Kind::DaemonStopping
        | Kind::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Actor;

    fn told(kind: Kind, object: &str, refine: impl FnOnce(Event) -> Event) -> String {
        let time = "2026-11-22T16:18:21.004Z".parse().unwrap();
        let text = sentence(&refine(Event::new(7, time, "lb1", kind, object)));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn an_event_is_a_line_with_its_reason() {
        let server = told(Kind::RealServerDown, "service/www/192.168.0.4:80", |event| {
            event.changed("up", "down").because("connect_refused", "connection refused (3 of 3)")
        });
        let expected = "2026-11-22 16:18:21.004Z  www            DOWN         192.168.0.4:80: connection refused (3 of 3)";
        assert_eq!(server, expected);
        let router = told(Kind::VrrpActive, "vrrp/main", |event| {
            event.changed("backup", "active").because("active_down", "no advertisement for 3.4 s")
        });
        assert_eq!(
            router,
            "2026-11-22 16:18:21.004Z  main           active       no advertisement for 3.4 s"
        );
        let vip = told(Kind::VipRemoved, "vip/192.168.0.101", |event| event);
        assert_eq!(vip, "2026-11-22 16:18:21.004Z  192.168.0.101  vip removed");
    }

    #[test]
    fn a_change_names_its_author_and_values() {
        let loaded = told(Kind::ConfigLoaded, "config", |event| {
            let actor = Actor::peer(1000, Some("alice"));
            event.changed("9f2c1ab04d11", "04d119f2c1ab").by(Some(actor))
        });
        let expected = "2026-11-22 16:18:21.004Z  config         loaded       9f2c1ab04d11 -> 04d119f2c1ab, \
                        by alice (uid 1000)";
        assert_eq!(loaded, expected);
    }

    #[test]
    fn a_kind_of_a_later_version_is_shown_as_it_is() {
        let kind = Kind::Other("peer.lost".to_owned());
        let line = "2026-11-22 16:18:21.004Z  lb2            lost";
        assert_eq!(told(kind, "peer/lb2", |event| event), line);
    }
}
