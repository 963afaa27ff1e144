//! Results of scenarios, and the table of figures at the end.

use serde::{Deserialize, Serialize};

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

/// What a guest has to say when it is done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Why it failed, with the ends of the directors' logs.
    pub(crate) failure: Option<String>,
    pub(crate) figures: Vec<Figure>,
    /// What was seen and is no failure, such as a promise that keepalived never made.
    pub(crate) notes: Vec<String>,
}

#[derive(Debug)]
struct Row {
    scenario: String,
    /// What its figures depend on.
    settings: String,
    outcome: Outcome,
}

/// Figures of all scenarios of this run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn add(&mut self, scenario: &str, settings: &str, outcome: Outcome) {
        let (scenario, settings) = (scenario.to_owned(), settings.to_owned());
        self.rows.push(Row { scenario, settings, outcome });
    }

    /// Prints figures and notes, scenario by scenario.
    pub(crate) fn print(&mut self) {
        self.rows.retain(|row| !row.outcome.figures.is_empty() || !row.outcome.notes.is_empty());
        if self.rows.is_empty() {
            return;
        }
        self.rows.sort_by(|one, other| one.scenario.cmp(&other.scenario));
        println!("figures:");
        for Row { scenario, settings, outcome } in &self.rows {
            let figures: Vec<String> = outcome
                .figures
                .iter()
                .map(|figure| {
                    let text = format!("{} {} {}", figure.name, number(figure.value), figure.unit);
                    text.trim_end().to_owned()
                })
                .collect();
            println!("  {scenario:<42} {} ({settings})", figures.join(" | "));
            for note in &outcome.notes {
                println!("  {:<42} note: {note}", "");
            }
        }
        println!();
    }
}

/// Three significant digits or so.
pub(crate) fn number(value: f64) -> String {
    if value.abs() >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
