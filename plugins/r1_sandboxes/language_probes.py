"""Attacks from inside in other languages than Python, for `probes`.

Each program is given a file of the host, its folder and a value of the environment. It prints the names of those that it reached,
and `tried` at its end.
"""

PROBES = {
    "cpp": r"""
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
extern char **environ;
int main() {
    std::string host, folder, secret;
    std::getline(std::cin, host, '\t');
    std::getline(std::cin, folder, '\t');
    std::getline(std::cin, secret);
    if (std::ifstream(host)) std::puts("a file of the host");
    if (std::ifstream("/etc/passwd")) std::puts("/etc/passwd");
    if (std::ifstream("/proc/self/environ")) std::puts("/proc");
    if (std::ofstream(folder + "/written")) std::puts("writing outside");
    if (open(host.c_str(), 3 | O_TRUNC) >= 0) std::puts("emptying a file of the host");
    for (char **entry = environ; *entry; entry++)
        if (std::string(*entry).find(secret) != std::string::npos) std::puts("the environment");
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0) std::puts("the network");
    int child = fork();
    if (child == 0) _exit(0);
    if (child > 0) std::puts("fork");
    std::puts("tried");
}
""",
    "rust": r"""
use std::{env, fs, io, net, process};
fn main() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    let given: Vec<&str> = line.trim_end().split('\t').collect();
    if fs::read(given[0]).is_ok() { println!("a file of the host"); }
    if fs::read("/etc/passwd").is_ok() { println!("/etc/passwd"); }
    if fs::read("/proc/self/environ").is_ok() { println!("/proc"); }
    if fs::write(format!("{}/written", given[1]), "x").is_ok() { println!("writing outside"); }
    if env::vars().any(|(_, value)| value.contains(given[2])) { println!("the environment"); }
    if net::UdpSocket::bind("127.0.0.1:0").is_ok() { println!("the network"); }
    if process::Command::new("/bin/sh").arg("-c").arg("true").status().is_ok() { println!("fork"); }
    println!("tried");
}
""",
    "javascript": r"""
const fs = require('fs')
const [host, folder, secret] = fs.readFileSync(0, 'utf8').trimEnd().split('\t')
function reached(what, attempt) {
    try { if (attempt() !== false) console.log(what) } catch (error) {}
}
reached('a file of the host', () => fs.readFileSync(host))
reached('/etc/passwd', () => fs.readFileSync('/etc/passwd'))
reached('/proc', () => fs.readFileSync('/proc/self/environ'))
reached('writing outside', () => fs.writeFileSync(folder + '/written', 'x'))
reached('the environment', () => JSON.stringify(process.env).includes(secret))
reached('fork', () => !require('child_process').spawnSync('/bin/sh', ['-c', 'true']).error)
reached('signals to others', () => process.kill(process.ppid, 0))
console.log('tried')
""",
    "bash": r"""
IFS=$'\t' read -r host folder secret
cat "$host" >/dev/null 2>&1 && echo "a file of the host"
cat /etc/passwd >/dev/null 2>&1 && echo "/etc/passwd"
cat /proc/self/environ >/dev/null 2>&1 && echo "/proc"
(echo x >"$folder/written") 2>/dev/null && echo "writing outside"
(echo x >/usr/bin/written) 2>/dev/null && echo "writing to programs"
[[ "$(env)" == *"$secret"* ]] && echo "the environment"
(exec 3<>/dev/udp/127.0.0.1/9) 2>/dev/null && echo "the network"
kill -0 $PPID 2>/dev/null && echo "signals to others"
setsid --wait true 2>/dev/null && echo "a session of its own"
sleep 300 &
echo tried
""",
}
