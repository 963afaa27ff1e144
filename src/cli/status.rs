//! `diarch status`.

use std::io::Write;

use anyhow::anyhow;

use super::failure::{FAILED, Failure};
use super::{Terminal, args, overview};
use crate::client::Client;
use crate::status::{RealServer, Service, Status, VirtualRouter};

pub(super) fn status(
    options: &args::Options,
    args: &args::Status,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let client = Client::new(&options.runtime_dir);
    let answer = super::block_on(client.status())?;
    let (mut status, mut text) = answer.map_err(|error| Failure::client(error, &options.config))?;
    if !args.names.is_empty() {
        narrow(&mut status, &args.names).map_err(|name| {
            let unknown = "no virtual router, virtual service or real server is called";
            Failure::new(FAILED, anyhow!("{unknown} `{name}`"))
        })?;
        text = serde_json::to_string(&status).map_err(anyhow::Error::from)?;
    }
    if options.json {
        writeln!(terminal.out, "{}", text.trim_end())?;
    } else {
        write!(terminal.out, "{}", overview::overview(&status))?;
    }
    Ok(())
}

/// Keeps what `names` mean, and the services of real servers they mean; `Err`: one means nothing.
fn narrow(status: &mut Status, names: &[String]) -> Result<(), String> {
    let means = |name: &str| {
        status.vrrp.iter().any(|router| is_router(router, name))
            || status.services.iter().any(|service| {
                is_service(service, name)
                    || service.real_servers.iter().any(|server| is_server(service, server, name))
            })
    };
    if let Some(unknown) = names.iter().find(|name| !means(name)) {
        return Err(unknown.clone());
    }
    status.vrrp.retain(|router| names.iter().any(|name| is_router(router, name)));
    status.services.retain_mut(|service| {
        if names.iter().any(|name| is_service(service, name)) {
            return true;
        }
        let mut servers = std::mem::take(&mut service.real_servers);
        servers.retain(|server| names.iter().any(|name| is_server(service, server, name)));
        service.real_servers = servers;
        !service.real_servers.is_empty()
    });
    Ok(())
}

fn is_service(service: &Service, name: &str) -> bool {
    service.name == name.strip_prefix("service/").unwrap_or(name)
}

fn is_router(router: &VirtualRouter, name: &str) -> bool {
    let address = |vip: &str| vip.split('/').next() == Some(name);
    router.name == name.strip_prefix("vrrp/").unwrap_or(name)
        || router.vips.iter().any(|vip| address(&vip.address))
}

fn is_server(service: &Service, server: &RealServer, name: &str) -> bool {
    let name = name.strip_prefix("service/").unwrap_or(name);
    let name = match name.split_once('/') {
        Some((of, name)) if of == service.name => name,
        Some(_) => return false,
        None => name,
    };
    let address = std::net::SocketAddr::new(server.address, server.port);
    server.name.as_deref() == Some(name)
        || server.address.to_string() == name
        || address.to_string() == name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(names: &[&str]) -> Result<Status, String> {
        let mut status: Status =
            serde_json::from_str(include_str!("../../tests/status.json")).unwrap();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        narrow(&mut status, &names).map(|()| status)
    }

    #[test]
    fn a_name_keeps_what_it_means_and_nothing_else() {
        let www = narrowed(&["www"]).unwrap();
        assert_eq!((www.vrrp.len(), www.services.len()), (0, 1));
        assert_eq!(www.services[0].real_servers.len(), 2);
        let server = narrowed(&["192.168.0.3"]).unwrap();
        let kept: Vec<_> = server.services.iter().map(|kept| kept.real_servers.len()).collect();
        assert_eq!(kept, [1, 1]);
        assert_eq!(narrowed(&["192.168.0.3:80"]).unwrap().services.len(), 1);
        assert_eq!(narrowed(&["web1"]).unwrap().services[0].name, "telnet");
        assert_eq!(narrowed(&["192.168.0.101"]).unwrap().vrrp.len(), 1);
        assert_eq!(narrowed(&["main", "wwww"]).unwrap_err(), "wwww");
        assert_eq!(narrowed(&["service/"]).unwrap_err(), "service/");
    }

    #[test]
    fn a_name_may_be_pasted_as_problems_and_events_write_it() {
        assert_eq!(narrowed(&["vrrp/main"]).unwrap().vrrp.len(), 1);
        assert_eq!(narrowed(&["service/www"]).unwrap().services[0].real_servers.len(), 2);
        for name in ["www/192.168.0.3:80", "service/www/192.168.0.3:80"] {
            let one = narrowed(&[name]).unwrap();
            assert_eq!((one.services.len(), one.services[0].name.as_str()), (1, "www"), "{name}");
            assert_eq!(one.services[0].real_servers.len(), 1, "{name}");
        }
        assert_eq!(narrowed(&["telnet/192.168.0.3:80"]).unwrap_err(), "telnet/192.168.0.3:80");
    }
}
