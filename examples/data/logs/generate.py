#!/usr/bin/env python3
"""Makes the log files of this folder: the same bytes on each run. Everything in them is invented."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
START = datetime(2024, 3, 5, 10, 0, 0)
MINUTES = 20
random.seed(20240305)


def times(count):
    """`count` moments in order, spread over the minutes."""
    return sorted(START + timedelta(milliseconds=random.randrange(MINUTES * 60_000)) for _ in range(count))


def write(name, lines):
    (FOLDER / name).write_text("".join(line + "\n" for line in lines))


def address():
    return f"{random.choice(['192.0.2', '198.51.100', '203.0.113'])}.{random.randrange(1, 255)}"


def hexadecimal(digits):
    return "".join(random.choice("0123456789abcdef") for _ in range(digits))


def syslog():
    messages = {
        "sshd": ["Accepted publickey for deploy from {ip} port {n} ssh2", "Failed password for invalid user admin from {ip} port {n} ssh2",
                 "Connection closed by {ip} port {n} [preauth]"],
        "CRON": ["(root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.hourly)"],
        "systemd": ["Started Session {n} of user deploy.", "logrotate.service: Deactivated successfully.", "backup.service: Failed with result 'exit-code'."],
        "kernel": ["Out of memory: Killed process {n} (indexer)", "eth0: link becomes ready"],
    }
    lines = []
    for index, moment in enumerate(times(900)):
        service = random.choices(list(messages), [5, 2, 3, 1])[0]
        text = random.choice(messages[service]).format(ip=address(), n=random.randrange(1000, 65000))
        tag = service if service == "kernel" else f"{service}[{random.randrange(300, 9000)}]"
        host = f"web-{random.randrange(1, 4)}"
        if index % 3 == 0:
            severity = 3 if "Failed" in text or "Killed" in text else 6
            lines.append(f"<{4 * 8 + severity}>1 {moment.isoformat(timespec='milliseconds')}Z {host} {service} {random.randrange(300, 9000)} - "
                         f"[origin ip=\"{address()}\"] {text}")
        else:
            lines.append(f"{moment.strftime('%b')} {moment.day:2d} {moment.strftime('%H:%M:%S')} {host} {tag}: {text}")
        if index % 150 == 149:
            lines.append("-- the log was cut here by hand --")
    write("syslog.log", lines)


def dpkg():
    packages = ["libssl3:amd64 3.0.13-1", "openssh-server:amd64 1:9.2p1-2", "tzdata:all 2024a-0", "nginx:amd64 1.22.1-9", "curl:amd64 7.88.1-10"]
    lines, moment = [], START
    for _ in range(24):
        lines.append(f"{moment:%Y-%m-%d %H:%M:%S} startup archives unpack")
        for package in random.sample(packages, 3):
            name = package.split(" ")[0]
            for action in (f"upgrade {package} {package.split(' ')[1]}+b1", f"status half-configured {package}", f"status unpacked {package}",
                           f"configure {package} <none>", f"status installed {package}"):
                moment += timedelta(milliseconds=random.randrange(200, 1500))
                lines.append(f"{moment:%Y-%m-%d %H:%M:%S} {action}")
            lines.append(f"{moment:%Y-%m-%d %H:%M:%S} trigproc {name} <none>")
        moment += timedelta(seconds=20)
    write("dpkg.log", lines)


def apt():
    lines, moment = [], START
    for run in range(20):
        end = moment + timedelta(seconds=random.randrange(3, 30))
        lines += ["", f"Start-Date: {moment:%Y-%m-%d  %H:%M:%S}", "Commandline: apt-get install -y --only-upgrade nginx",
                  "Requested-By: deploy (1001)", "Upgrade: nginx:amd64 (1.22.1-8, 1.22.1-9)"]
        if run % 7 == 6:
            lines.append("Error: Sub-process /usr/bin/dpkg returned an error code (1)")
        lines.append(f"End-Date: {end:%Y-%m-%d  %H:%M:%S}")
        moment = end + timedelta(seconds=30)
    write("apt-history.log", lines)


def nginx():
    paths = ["/", "/cart", "/cart?id={n}", "/api/orders/{n}", "/static/app.js", "/login"]
    agents = ["Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/123.0", "curl/8.5.0", "Go-http-client/2.0"]
    lines = []
    for moment in times(2500):
        status = random.choices([200, 304, 301, 404, 403, 502, 500], [80, 8, 3, 5, 1, 2, 1])[0]
        path = random.choice(paths).format(n=random.randrange(1, 9999))
        method = "POST" if path == "/login" else "GET"
        lines.append(f'{address()} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "{method} {path} HTTP/1.1" {status} {random.randrange(100, 9000)} "-" '
                     f'"{random.choice(agents)}"')
    write("nginx-access.log", lines)


def services():
    messages = {
        "cart": [("info", "item {n} added to cart {id}"), ("info", "cart {id} checked out"), ("warn", "price of item {n} changed during checkout")],
        "payment": [("info", "charged {n} cents to card ending {k}"), ("error", "card processor timed out after {n} ms"), ("info", "refund {id} sent")],
        "search": [("debug", "query took {n} ms"), ("info", "index {id} swapped in"), ("error", "shard {k} is unreachable")],
        "mail": [("info", "order confirmation {n} sent"), ("warn", "greylisted by {ip}, retry in {k} s")],
    }
    lines = []
    for index, moment in enumerate(times(2500)):
        service = random.choices(list(messages), [6, 3, 4, 2])[0]
        level, text = random.choices(messages[service], [8, 2, 2][: len(messages[service])])[0]
        text = text.format(n=random.randrange(1, 5000), k=random.randrange(1000, 9999), id=hexadecimal(16), ip=address())
        lines.append(json.dumps({"timestamp": moment.isoformat(timespec="milliseconds") + "Z", "service": service, "level": level, "message": text}))
        if index % 500 == 499:
            lines.append(lines[-1][:40])
    write("services.jsonl", lines)


def owners():
    teams = {"cart": "shop", "payment": "payments", "search": "discovery", "mail": "shop", "nginx": "edge", "sshd": "platform", "CRON": "platform",
             "systemd": "platform", "dpkg": "platform", "apt": "platform"}
    write("owners.csv", [f"{service},{team}" for service, team in teams.items()])


for make in (syslog, dpkg, apt, nginx, services, owners):
    make()
