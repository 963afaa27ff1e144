//! `diarch reload`.

use std::io::Write;

use anyhow::anyhow;
use jiff::Timestamp;

use super::failure::{FAILED, Failure};
use super::words::age;
use super::{Terminal, args};
use crate::client::Client;
use crate::status::{Refused, ReloadAnswer, Reloaded};

pub(super) fn reload(options: &args::Options, terminal: &mut Terminal) -> Result<(), Failure> {
    let client = Client::new(&options.runtime_dir);
    let answer = super::block_on(client.reload())?;
    match answer.map_err(|error| Failure::client(error, &options.config))? {
        ReloadAnswer::Applied(reloaded) => applied(&reloaded, options.json, terminal),
        ReloadAnswer::Refused(refused) => Err(refuse(&refused, options.json, terminal)?),
    }
}

fn applied(reloaded: &Reloaded, json: bool, terminal: &mut Terminal) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string(reloaded).map_err(anyhow::Error::from)?;
        writeln!(terminal.out, "{text}")?;
    } else {
        write!(terminal.err, "{}", reloaded.warnings)?;
        write!(terminal.out, "{}", changes(reloaded))?;
    }
    Ok(())
}

/// What a reload did, as text.
fn changes(reloaded: &Reloaded) -> String {
    let digest = &reloaded.digest;
    if reloaded.changes.is_empty() {
        return format!("configuration {digest} is in effect; nothing changed\n");
    }
    let changes = reloaded.changes.iter().map(|change| format!("  {change}\n"));
    let head = format!("configuration {digest} is in effect:\n");
    [head].into_iter().chain(changes).collect()
}

fn refuse(refused: &Refused, json: bool, terminal: &mut Terminal) -> Result<Failure, Failure> {
    if json {
        let text = serde_json::to_string(refused).map_err(anyhow::Error::from)?;
        writeln!(terminal.out, "{text}")?;
    } else {
        write!(terminal.err, "{}", refused.rendered)?;
    }
    let since = age(refused.loaded_at, Timestamp::now());
    let kept = format!("the daemon keeps running on {} (loaded {since} ago)", refused.digest);
    Ok(Failure::new(FAILED, anyhow!("the configuration was refused; {kept}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_lists_what_it_changed() {
        let mut reloaded = Reloaded { digest: "9f2c1ab04d11".to_owned(), ..Reloaded::default() };
        assert_eq!(
            changes(&reloaded),
            "configuration 9f2c1ab04d11 is in effect; nothing changed\n"
        );
        reloaded.changes = vec!["service www: scheduler wlc -> rr".to_owned()];
        let expected =
            "configuration 9f2c1ab04d11 is in effect:\n  service www: scheduler wlc -> rr\n";
        assert_eq!(changes(&reloaded), expected);
    }
}
