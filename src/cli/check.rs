//! `diarch check`.

use std::io::Write;

use serde_json::json;

use super::failure::{FAILED, Failure};
use super::words::count;
use super::{Terminal, args};
use crate::config::{
    self, Config, Level, Problem, Problems, Transport, VirtualRouter, VirtualService,
};
use crate::status;

pub(super) fn check(options: &args::Options, terminal: &mut Terminal) -> Result<(), Failure> {
    match config::load(&options.config, options.node.as_deref()) {
        Ok(loaded) => {
            if options.json {
                print_json(Some(&loaded.config), &loaded.warnings, terminal)?;
            } else {
                write!(terminal.err, "{}", loaded.warnings.render(true))?;
                write!(terminal.out, "{}", summary(&loaded.config))?;
            }
            Ok(())
        }
        Err(problems) => {
            if options.json {
                print_json(None, &problems, terminal)?;
            } else {
                write!(terminal.err, "{}", problems.render(true))?;
            }
            Err(Failure::said(FAILED))
        }
    }
}

fn print_json(
    config: Option<&Config>,
    problems: &Problems,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let problems: Vec<_> = problems.iter().map(problem).collect();
    let digest = config.map(|config| &config.digest);
    let text = json!({ "ok": config.is_some(), "digest": digest, "problems": problems });
    writeln!(terminal.out, "{text}")?;
    Ok(())
}

fn problem(problem: &Problem) -> status::ConfigProblem {
    let known = |number: usize| u64::try_from(number).ok().filter(|number| *number > 0);
    status::ConfigProblem {
        code: problem.code.to_owned(),
        level: match problem.level {
            Level::Error => status::Level::Error,
            Level::Warning => status::Level::Warning,
        },
        file: Some(problem.file.display().to_string()),
        line: known(problem.line),
        column: known(problem.column),
        message: problem.title.clone(),
    }
}

/// That the files are good, and what this node would be.
fn summary(config: &Config) -> String {
    let files = config.files.iter().map(|file| format!("{}: ok\n", file.display()));
    let node = format!("as {}, configuration {}:\n", config.node, config.digest);
    let routers = config
        .routers
        .iter()
        .map(|router| format!("  vrrp {}: {}\n", router.name, describe_router(router)));
    let services = config
        .services
        .iter()
        .map(|service| format!("  service {}: {}\n", service.name, describe_service(service)));
    files.chain([node]).chain(routers).chain(services).collect()
}

fn describe_router(router: &VirtualRouter) -> String {
    let vips: Vec<_> =
        router.vips.iter().map(|vip| format!("{}/{}", vip.address, vip.prefix)).collect();
    let interface =
        router.interface.as_ref().map_or("the interface of its subnet", |on| on.as_str());
    let transport = match &router.transport {
        Transport::Multicast => "multicast",
        Transport::Unicast(_) => "unicast",
    };
    let preempt = if router.preempt { ", preempts" } else { "" };
    format!(
        "{} on {interface}, VRID {}, priority {}{preempt}, {transport} every {} ms",
        vips.join(" "),
        router.vrid.get(),
        router.priority.get(),
        router.interval.to_duration().as_millis(),
    )
}

fn describe_service(service: &VirtualService) -> String {
    let listen: Vec<_> = service.listen.iter().map(ToString::to_string).collect();
    let checks: Vec<_> = service.checks.iter().map(|check| check.kind.name()).collect();
    let checks = if checks.is_empty() { "unchecked".to_owned() } else { checks.join(" and ") };
    format!(
        "{} {} {}, {} ({checks})",
        listen.join(" "),
        service.scheduler,
        service.forward,
        count(service.real_servers.len(), "real server"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
[vrrp.main]
vrid = 51
vips = ["192.168.0.101"]

[virtual_service.www]
listen       = "192.168.0.101:80"
real_servers = ["192.168.0.3", "192.168.0.4"]
check        = { type = "http", path = "/" }
"#;

    #[test]
    fn good_files_are_followed_by_what_this_node_would_be() {
        let path = std::env::temp_dir().join(format!("diarch-check-{}.toml", std::process::id()));
        std::fs::write(&path, MINIMAL).unwrap();
        let loaded = config::load(&path, Some("lb1"));
        std::fs::remove_file(&path).unwrap();
        let config = loaded.unwrap().config;
        let expected = format!(
            "{}: ok\nas lb1, configuration {}:\n  vrrp main: 192.168.0.101/32 on the interface of \
             its subnet, VRID 51, priority 254, multicast every 200 ms\n  service www: \
             192.168.0.101:80/tcp wlc dr, 2 real servers (http)\n",
            path.display(),
            config.digest,
        );
        assert_eq!(summary(&config), expected);
    }
}
