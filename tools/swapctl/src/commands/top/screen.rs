//! What `top` draws. Invariant: whatever the agent says, only printable characters reach the terminal.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table, TableState};
use serde_json::Value;

use super::rates::Rates;
use crate::commands::status::uptime;
use crate::outcome;
use crate::output::printable;
use crate::render::{NOTHING, joined, list, micros, text};

/// All that is drawn.
pub(super) struct Picture {
    /// `{"status", "swaps", …}`
    now: Value,
    rates: Vec<(String, Vec<u64>)>,
    first: usize,
    /// Since the agent was heard.
    waited: Duration,
}

/// An agent that is asked every second is late after so long.
const PATIENCE: Duration = Duration::from_secs(3);

impl Picture {
    pub(super) fn of(now: Value) -> Self {
        Self { now, rates: Vec::new(), first: 0, waited: Duration::ZERO }
    }

    pub(super) fn show(&mut self, now: Value, rates: &Rates) {
        self.now = now;
        self.waited = Duration::ZERO;
        self.rates = rates.lately().map(|(name, lately)| (printable(name), lately)).collect();
    }

    /// The agent has not been heard for so long.
    pub(super) fn wait(&mut self, waited: Duration) {
        self.waited = waited;
    }

    /// So many components further down.
    pub(super) fn scroll(&mut self, by: isize) {
        let last = list(&self.now["status"], "components").len().saturating_sub(1);
        self.first = self.first.saturating_add_signed(by).min(last);
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let rates = u16::try_from(self.rates.len()).unwrap_or(u16::MAX).min(8);
        let areas = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(if rates == 0 { 0 } else { rates + 2 }),
            Constraint::Min(4),
            Constraint::Length(4),
        ]);
        let [heading, flow, components, swaps] = areas.areas(frame.area());
        frame.render_widget(Paragraph::new(self.heading()), heading);
        self.draw_rates(frame, flow);
        self.draw_components(frame, components);
        frame.render_widget(
            Paragraph::new(self.strip(usize::from(swaps.width.saturating_sub(2))))
                .block(Block::bordered().title("swaps")),
            swaps,
        );
    }

    fn heading(&self) -> Vec<Line<'static>> {
        let application = &self.now["status"]["application"];
        let mut first = format!(
            "{} {}  up {}",
            said(application, "name"),
            said(application, "version"),
            uptime(application["uptime_s"].as_f64())
        );
        let running: Vec<String> = list(&self.now["status"], "running")
            .iter()
            .map(|swap| {
                let components = printable(&joined(list(swap, "components")));
                format!("swap {} runs, in {}: {components}", said(swap, "txn"), said(swap, "phase"))
            })
            .collect();
        let latency = &self.now["latency_us"];
        let within = |of: &str| {
            latency[of].as_u64().map_or_else(|| "more".to_owned(), |_| micros(&latency[of]))
        };
        if latency.is_object() {
            let [half, nearly_all] = ["p50", "p99"].map(within);
            first += &format!("  answered within {half} (p50), {nearly_all} (p99)");
        }
        let second = if self.waited >= PATIENCE {
            Line::from(format!("the agent has not answered for {} s", self.waited.as_secs())).red()
        } else {
            Line::from(running.join("  ")).yellow()
        };
        vec![Line::from(first).bold(), second]
    }

    fn draw_rates(&self, frame: &mut Frame<'_>, area: Rect) {
        let block = Block::bordered().title("per second");
        let inside = block.inner(area);
        frame.render_widget(block, area);
        for ((name, lately), row) in self.rates.iter().zip(inside.rows()) {
            let [label, number, bars] = Layout::horizontal([
                Constraint::Length(28),
                Constraint::Length(12),
                Constraint::Min(0),
            ])
            .areas(row);
            let last = lately.last().copied().unwrap_or_default();
            frame.render_widget(Paragraph::new(name.as_str()), label);
            frame.render_widget(Paragraph::new(format!("{last:>10}")), number);
            let room = usize::from(bars.width);
            let shown = lately.get(lately.len().saturating_sub(room)..).unwrap_or_default();
            frame.render_widget(Sparkline::default().data(shown).style(Color::Cyan), bars);
        }
    }

    fn draw_components(&self, frame: &mut Frame<'_>, area: Rect) {
        let components = list(&self.now["status"], "components");
        let rows = components.iter().map(|component| {
            let name = said(component, "name");
            let window = component["predecessor"].is_string();
            let style = match component["panics"].as_u64() {
                _ if window => Style::new().fg(Color::Yellow),
                None | Some(0) => Style::new(),
                Some(_) => Style::new().fg(Color::Red),
            };
            let blackout = self.last_blackout(&name);
            let [version, generation, panics, before] =
                ["version", "generation", "panics", "predecessor"].map(|of| said(component, of));
            Row::new([name, version, generation, panics, blackout, before]).style(style)
        });
        let widths = [
            Constraint::Fill(2),
            Constraint::Fill(1),
            Constraint::Length(10),
            Constraint::Length(6),
            Constraint::Length(12),
            Constraint::Length(12),
        ];
        let heading = ["component", "version", "generation", "panics", "blackout", "before"];
        let table = Table::new(rows, widths)
            .header(Row::new(heading).style(Style::new().bold()))
            .block(Block::bordered().title("components"));
        let mut state = TableState::new().with_offset(self.first);
        frame.render_stateful_widget(table, area, &mut state);
    }

    /// What the last swap of a component cost its callers.
    fn last_blackout(&self, component: &str) -> String {
        let concerns =
            |swap: &&Value| list(swap, "serving").iter().any(|one| one["component"] == component);
        let last = list(&self.now, "swaps").iter().rev().find(concerns);
        last.map_or_else(|| NOTHING.to_owned(), |swap| micros(&swap["blackout_us"]))
    }

    /// One mark for each swap, the last at the right, and the last outcome in words.
    fn strip(&self, room: usize) -> Vec<Line<'static>> {
        let swaps = list(&self.now, "swaps");
        let shown = swaps.get(swaps.len().saturating_sub(room)..).unwrap_or_default();
        let mark = |swap: &Value| match swap["verdict"].as_str() {
            Some("committed") => Span::from("■").green(),
            Some("aborted") => Span::from("x").yellow(),
            Some("rolled_back") => Span::from("<").red(),
            _ => Span::from("?").red(),
        };
        let last = swaps.last().map_or_else(
            || "none since the start".to_owned(),
            |swap| printable(&outcome::sentence(swap)).replace('\n', " "),
        );
        vec![Line::from(shown.iter().map(mark).collect::<Vec<_>>()), Line::from(last)]
    }
}

fn said(value: &Value, member: &str) -> String {
    printable(&text(value, member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    fn drawn(picture: &Picture) -> String {
        let mut terminal = Terminal::new(TestBackend::new(90, 20)).unwrap();
        terminal.draw(|frame| picture.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_picture_has_the_versions_the_rates_and_the_strip() {
        let mut rates = Rates::default();
        let start = std::time::Instant::now();
        rates.note(&json!({ "totals": { "packets": 0 } }), start);
        rates.note(&json!({ "totals": { "packets": 1500 } }), start + Duration::from_secs(1));
        let swap = |txn, verdict| {
            json!({ "txn": txn, "verdict": verdict, "blackout_us": 83,
            "serving": [{ "component": "security.usm", "version": "2.0.0" }] })
        };
        let now = json!({
            "status": {
                "application": { "name": "sagentd\u{1b}[2J", "version": "0.1.0", "uptime_s": 61 },
                "components": [{ "name": "security.usm", "version": "2.0.0", "generation": 3, "panics": 0 },
                    { "name": "auth.sha2", "version": "1.0.0", "generation": 1, "panics": 0 }],
                "running": [{ "txn": 9, "phase": "prepare", "components": ["auth.sha2"] }],
            },
            "swaps": [swap(7, "committed"), swap(8, "rolled_back")],
            "latency_us": { "p50": 16, "p99": null },
        });
        let mut picture = Picture::of(Value::Null);
        assert!(drawn(&picture).contains("none since the start"), "nothing is known yet");
        picture.show(now, &rates);
        let screen = drawn(&picture);
        for expected in [
            "sagentd\\u{1b}[2J 0.1.0  up 1 min 1 s  answered within 16 µs (p50), more (p99)",
            "swap 9 runs, in prepare: auth.sha2",
            "packets                           1500",
            "security.usm",
            "83 µs",
            "■<",
            "swap 8 rolled back; 2.0.0 serving again",
        ] {
            assert!(screen.contains(expected), "{expected}:\n{screen}");
        }
        picture.wait(Duration::from_secs(7));
        assert!(drawn(&picture).contains("the agent has not answered for 7 s"));
        picture.scroll(5);
        let screen = drawn(&picture);
        let rows = screen.lines().filter(|line| line.contains("security.usm")).count();
        assert_eq!(rows, 0, "scrolled away:\n{screen}");
        assert!(screen.contains("auth.sha2"), "{screen}");
    }
}
