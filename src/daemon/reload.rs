//! Reload: read everything, and either publish it or change nothing.

use std::sync::Arc;

use jiff::Timestamp;

use super::hub::Hub;
use super::{narrate, notify};
use crate::config::{self, Config, Problem, Problems};
use crate::status::{self, Actor, Kind, LastReload, Refused, ReloadAnswer, Reloaded};

impl Hub {
    /// Reads the files again. With any mistake the configuration in effect stays, untouched.
    pub(super) fn reload(&mut self, actor: Actor) -> ReloadAnswer {
        notify::reloading();
        let answer = match config::load(&self.config_path, self.node.as_deref()) {
            Ok(loaded) => ReloadAnswer::Applied(self.apply(loaded, actor)),
            Err(problems) => ReloadAnswer::Refused(self.refuse(&problems, actor)),
        };
        notify::ready(self);
        answer
    }

    fn apply(&mut self, loaded: config::Loaded, actor: Actor) -> Reloaded {
        let config::Loaded { config, warnings } = loaded;
        let changes: Vec<_> =
            config::diff(&self.config, &config).iter().map(ToString::to_string).collect();
        self.loaded_at = Timestamp::now();
        self.last_reload = Some(LastReload { ok: true, at: self.loaded_at, error: None });
        self.publish(Arc::new(config));
        let detail = match changes.as_slice() {
            [] => "nothing changed".to_owned(),
            some => some.join("; "),
        };
        self.journal.record(Kind::ConfigLoaded, "config", |event| {
            event.because("reload", detail).by(Some(actor))
        });
        let warnings = if warnings.is_empty() { String::new() } else { warnings.render(false) };
        Reloaded { digest: self.config.digest.clone(), changes, warnings }
    }

    /// Hands the configuration to every part; each compares it with what it runs.
    fn publish(&mut self, config: Arc<Config>) {
        self.config = Arc::clone(&config);
        self.note_addresses();
        self.threads.election.configure(config);
        self.follow_config(self.table_in_force());
    }

    fn refuse(&mut self, problems: &Problems, actor: Actor) -> Refused {
        let first = problems.iter().find(|problem| problem.level == config::Level::Error);
        let first = first.map(narrate::config_problem).unwrap_or_default();
        let at = Timestamp::now();
        self.last_reload = Some(LastReload { ok: false, at, error: Some(first.clone()) });
        let detail = format!("{}, the first: {first}", problems.count());
        self.journal.record(Kind::ConfigRefused, "config", |event| {
            event.because("invalid", detail).by(Some(actor))
        });
        Refused {
            digest: self.config.digest.clone(),
            loaded_at: self.loaded_at,
            problems: problems.iter().map(document).collect(),
            rendered: problems.render(false),
        }
    }
}

/// One mistake as it leaves the process.
fn document(problem: &Problem) -> status::ConfigProblem {
    let whole_file = problem.line == 0;
    status::ConfigProblem {
        code: problem.code.to_owned(),
        level: match problem.level {
            config::Level::Error => status::Level::Error,
            config::Level::Warning => status::Level::Warning,
        },
        file: Some(problem.file.display().to_string()),
        line: (!whole_file).then_some(problem.line as u64),
        column: (!whole_file).then_some(problem.column as u64),
        message: problem.title.clone(),
    }
}
