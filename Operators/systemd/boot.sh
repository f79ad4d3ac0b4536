#!/usr/bin/env bash
# Boots Debian with systemd in a container (systemd-nspawn), installs the program and the units as docs/deployment.md says,
# and checks under load: start, health, the token, reload, restart, two instances, watchdog, and a faulty configuration.
#
# Usage: sudo Operators/systemd/boot.sh PATH-OF-larder [FOLDER]
# The folder holds Debian and is not removed, so that the next run does not have to install it; without one, a temporary
# folder is used. A missing tool is named, and the exit status is then 2.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { echo "boot.sh: error: $*" >&2; exit 1; }
[ $# -ge 1 ] || fail "expected the path of the program larder"
program=$1
missing=()
command -v debootstrap >/dev/null || missing+=("debootstrap (apt-get install debootstrap)")
command -v systemd-nspawn >/dev/null || missing+=("systemd-nspawn (apt-get install systemd-container)")
[ "$(id -u)" = 0 ] || missing+=("root, for debootstrap and systemd-nspawn")
if [ ${#missing[@]} -gt 0 ]; then
    printf 'boot.sh: not checked, because this is missing: %s\n' "${missing[@]}" >&2
    exit 2
fi

root=${2:-}
if [ -z "$root" ]; then
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
fi
if [ ! -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,python3,libstdc++6,ca-certificates \
        bookworm "$root" >"$root.log" 2>&1 || fail "debootstrap: $(tail -5 "$root.log")"
fi
# A program that is not linked with --static-swift-stdlib needs Swift's libraries.
ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | while read -r library; do
    [ -e "$root$library" ] || install -D -m 0755 "$library" "$root$library"
done

# The commands of docs/deployment.md, for the files of the container.
install -m 0755 "$program" "$root/usr/local/bin/larder"
install -m 0644 Operators/systemd/larder.service Operators/systemd/larder.socket "$root/etc/systemd/system/"
rm -rf "$root"/etc/systemd/system/larder*.d "$root/etc/systemd/system/larder@.service"
install -d "$root/etc/larder"
echo "origin: http://127.0.0.1:9000
access-log: /var/log/larder/access.log" >"$root/etc/larder/larder.yaml"
(umask 077; head -c 32 /dev/urandom | base64 | tr '+/' '-_' >"$root/etc/larder/admin-token")

# An origin that counts POSTs by their content, and a client that sends them one after the other on keep-alive connections.
cat >"$root/root/origin.py" <<'PYTHON'
import http.server, socketserver, threading
seen, lock = {}, threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        with lock:
            self.reply(f"{len(seen)} {max(seen.values(), default=0)}".encode())
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            seen[body] = seen.get(body, 0) + 1
        self.reply(body)
    def log_message(self, *arguments):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256
    def handle_error(self, request, address):
        pass
Server(("127.0.0.1", 9000), Handler).serve_forever()
PYTHON
cat >"$root/root/client.py" <<'PYTHON'
import http.client, os, sys, threading
answered, lost, lock = 0, [], threading.Lock()
def run(client):
    global answered
    connection, number = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60), 0
    while not os.path.exists("/run/stop-clients"):
        number += 1
        body = f"{sys.argv[1]}-{client}-{number}"
        try:
            connection.request("POST", "/", body)
            response = connection.getresponse()
            if response.read() != body.encode():
                raise ValueError(response.status)
            with lock:
                answered += 1
            if response.getheader("Connection") == "close":
                connection.close()
        except Exception as error:
            with lock:
                lost.append(f"{body}: {error!r}")
            connection.close()
threads = [threading.Thread(target=run, args=(client,)) for client in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"clients {sys.argv[1]}: {answered} POSTs answered, {len(lost)} lost", *lost[:3], flush=True)
sys.exit(1 if lost or answered == 0 else 0)
PYTHON
cat >"$root/root/check.sh" <<'CHECK'
#!/bin/bash
# Runs inside of the container.
set -eo pipefail
trap 'code=$?; echo "exit status $code"; [ $code = 0 ] || journalctl -u "larder*" -o cat --no-pager | grep -v " info " | tail -60; systemctl poweroff' EXIT
expect() { [ "$1" = "$2" ] || { echo "error: $3: expected $2, not $1"; exit 1; }; }
status() { systemctl show -P StatusText "$1"; }
pid() { systemctl show -P MainPID "$1"; }
load() { rm -f /run/stop-clients; python3 /root/client.py "$1" & clients=$!; sleep 1; }
unload() { touch /run/stop-clients; wait $clients; }
python3 /root/origin.py &
until curl -s -o /dev/null http://127.0.0.1:9000/; do sleep 0.1; done

systemctl daemon-reload
systemctl enable --now larder.socket larder.service 2>/dev/null
expect "$(systemctl is-active larder.socket larder.service | uniq)" active "the state after the start"
echo "started: $(status larder.service)"
curl -sf http://127.0.0.1:8000/-/larder/health
token=$(cat /etc/larder/admin-token)
metrics=http://127.0.0.1:8000/-/larder/metrics/cache
expect "$(curl -s -o /dev/null -w '%{http_code}' $metrics)" 401 "the metrics without the token"
expect "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" $metrics)" 200 "the metrics with the token"
user=$(ps -o user= -p "$(pid larder.service)" 2>/dev/null || stat -c %U "/proc/$(pid larder.service)")
echo "user: $user; seccomp: $(grep '^Seccomp:' "/proc/$(pid larder.service)/status" | cut -f2)"
[ "$user" != root ]

load reload
for round in 1 2 3; do
    echo "name: Round$round" >>/etc/larder/larder.yaml
    sed -i '/^name: /{h;$!d}' /etc/larder/larder.yaml
    systemctl reload larder.service
    until [ "$(status larder.service)" = "Serving, with the configuration reloaded" ]; do sleep 0.1; done
done
unload
echo "reloaded: $(status larder.service)"
curl -s -D - -o /dev/null http://127.0.0.1:8000/name | grep -q '^Cache-Status: Round3' || { echo "error: the name"; exit 1; }

load restart
old=$(pid larder.service)
systemctl restart larder.service
[ "$(pid larder.service)" != "$old" ]
sleep 1
unload
echo "restarted: $(status larder.service)"

cp /etc/systemd/system/larder.service /etc/systemd/system/larder@.service
mkdir -p /etc/systemd/system/larder.socket.d /etc/systemd/system/larder@.service.d
printf '[Socket]\nService=larder@1.service\n' >/etc/systemd/system/larder.socket.d/override.conf
printf '[Service]\nEnvironment=LARDER_ACCESS_LOG=/var/log/larder/access-%%i.log\n' \
    >/etc/systemd/system/larder@.service.d/override.conf
systemctl daemon-reload
systemctl disable --now larder.service 2>/dev/null
systemctl restart larder.socket
systemctl enable --now larder@1.service larder@2.service 2>/dev/null
load instances
for round in 1 2; do
    systemctl restart larder@1.service && systemctl restart larder@2.service
done
sleep 1
unload
wc -l /var/log/larder/access-1.log /var/log/larder/access-2.log | head -2
read -r count most < <(curl -s http://127.0.0.1:9000/)
echo "the origin has $count different POSTs, each at most $most time"
expect "$most" 1 "the most often that a POST arrived"

systemctl stop larder@2.service
mkdir -p /run/systemd/system/larder@1.service.d
printf '[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n' >/run/systemd/system/larder@1.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart larder@1.service
old=$(pid larder@1.service)
kill -STOP "$old"
until [ "$(systemctl show -P NRestarts larder@1.service)" = 1 ] && systemctl -q is-active larder@1.service; do sleep 0.2; done
[ "$(pid larder@1.service)" != "$old" ]
echo "watchdog: a process that hung was restarted ($(journalctl -u larder@1.service --no-pager | grep -c 'Watchdog timeout') timeout)"

echo "nonsense: 1" >>/etc/larder/larder.yaml
systemctl reload larder@1.service
until status larder@1.service | grep -q "reloading failed"; do sleep 0.1; done
echo "faulty configuration: $(status larder@1.service)"
curl -sf http://127.0.0.1:8000/-/larder/health
systemctl restart larder@1.service 2>/dev/null || true
sleep 3
expect "$(systemctl show -P ExecMainStatus larder@1.service)" 78 "the exit status with a faulty configuration"
expect "$(systemctl is-failed larder@1.service)" failed "the state with a faulty configuration"
echo "all checks passed"
CHECK
chmod +x "$root/root/check.sh"
cat >"$root/etc/systemd/system/larder-check.service" <<'UNIT'
[Unit]
Description=The checks of boot.sh
After=multi-user.target
DefaultDependencies=no

[Service]
ExecStart=/root/check.sh
StandardOutput=append:/root/result
StandardError=append:/root/result
UNIT
install -d "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../larder-check.service "$root/etc/systemd/system/multi-user.target.wants/"
rm -f "$root/root/result"

timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe -D "$root" --boot \
    </dev/null >"$root/root/console" 2>&1 || true
[ -s "$root/root/result" ] || fail "the container did not boot: $(tail -5 "$root/root/console")"
cat "$root/root/result"
grep -q '^all checks passed$' "$root/root/result"
