//! One running `diarch`, and what it answers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::network::Network;
use super::until;

/// The process and its directory, which goes when this goes.
#[derive(Debug)]
pub(crate) struct Director {
    process: Child,
    directory: PathBuf,
}

impl Director {
    /// Starts it on a host, and waits until it answers.
    pub(crate) fn start(network: &Network, host: usize, config: &str) -> Self {
        let director = Self::spawn(network, host, config, &[]);
        director.answers();
        director
    }

    /// Starts it by way of `wrapper`, a command that takes a command, and does not wait.
    pub(crate) fn spawn(network: &Network, host: usize, config: &str, wrapper: &[&str]) -> Self {
        let namespace = &network.hosts[host];
        let directory = std::env::temp_dir().join(namespace);
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("diarch.toml");
        std::fs::write(&file, config).unwrap();
        let mut log = std::fs::OpenOptions::new();
        let log = log.create(true).append(true).open(directory.join("log")).unwrap();
        let process = Command::new("ip")
            .args(["netns", "exec", namespace])
            .args(wrapper)
            .arg(env!("CARGO_BIN_EXE_diarch"))
            .arg("-c")
            .arg(&file)
            .arg("--runtime-dir")
            .arg(directory.join("run"))
            .args(["--node", if host == 0 { "lb1" } else { "lb2" }, "run"])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, directory }
    }

    pub(crate) fn answers(&self) {
        until("it answers", || self.connect("status").is_ok());
    }

    pub(crate) fn connect(&self, socket: &str) -> std::io::Result<UnixStream> {
        let path = self.directory.join("run").join(format!("{socket}.sock"));
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(stream)
    }

    /// Status code and body.
    pub(crate) fn request(&self, socket: &str, line: &str) -> (u16, String) {
        let mut stream = self.connect(socket).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nhost: diarch\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn status(&self) -> Value {
        let (code, body) = self.request("status", "GET /v1/status");
        assert_eq!(code, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// The first virtual router.
    pub(crate) fn router(&self) -> Value {
        self.status()["vrrp"][0].clone()
    }

    pub(crate) fn role(&self) -> String {
        self.router()["state"].as_str().unwrap().to_owned()
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        let (_, body) = self.request("status", "GET /v1/events");
        body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Kinds of all events, in their order.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.events().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn write(&self, config: &str) {
        let aside = self.directory.join("new");
        std::fs::write(&aside, config).unwrap();
        std::fs::rename(aside, self.directory.join("diarch.toml")).unwrap();
    }

    /// Applies a configuration; the differences it answers.
    pub(crate) fn reload(&self, config: &str) -> Vec<String> {
        self.write(config);
        let (code, body) = self.request("admin", "POST /v1/reload");
        assert_eq!(code, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        let changes = answer["changes"].as_array().unwrap();
        changes.iter().map(|change| change.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Until it is gone by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(5), "it does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops it; panics unless it ends as it should, and leaves no socket behind.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.wait();
        assert_eq!((status.code(), status.signal()), (Some(0), None), "{}", self.log());
        for name in ["status.sock", "admin.sock"] {
            assert!(!self.directory.join("run").join(name).exists(), "{name} is left");
        }
    }

    /// As after a crash: nothing is cleaned up.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap()
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(std::fs::remove_dir_all(&self.directory));
    }
}
