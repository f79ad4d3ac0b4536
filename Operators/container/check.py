#!/usr/bin/env python3
"""Executes the steps of the Containerfile on this machine, without a container engine.

The instructions are read from the Containerfile. The build stage runs with the Swift toolchain of this machine, in a
copy of the files that .containerignore allows. The final stage runs in a folder with Debian (debootstrap, variant
minbase), by chroot. Then the program is started as the first process of a process namespace, as the user of the image,
with its variables; its health check is executed, and it is stopped by the stop signal.

What differs from an engine: the base images are not pulled, layers and labels are not written, the network is that of
this machine, and LARDER_LISTEN gets a free port in place of 8000.

Usage: sudo Operators/container/check.py [--program PATH] [--keep FOLDER]
With --program, the build stage is left out, and the file takes the place of what it builds.
A missing tool is named, and the exit status is then 2.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))


def fail(message, status=1):
    print(f"check.py: error: {message}", file=sys.stderr)
    sys.exit(status)


def instructions(text):
    """Returns the instructions as pairs of a name and its text, with continued lines joined."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    pairs = [line.strip().split(None, 1) for line in joined.split("\n") if line.strip()]
    return [(name.upper(), rest.strip()) for name, rest in pairs]


def stages(pairs):
    """Returns the stages: for each one its base, its name, and its instructions."""
    arguments, found = {}, []
    for name, text in pairs:
        if name == "ARG" and not found:
            key, _, value = text.partition("=")
            arguments[key] = value
        elif name == "FROM":
            words = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], text).split()
            found.append((words[0], words[2] if len(words) == 3 and words[1].upper() == "AS" else None, []))
        else:
            found[-1][2].append((name, text))
    return found


def run(*command, **options):
    print("   ", shlex.join(command), flush=True)
    return subprocess.run(command, check=True, **options)


def copy_context(destination):
    """Copies the files that .containerignore allows."""
    names = [line[1:].strip() for line in open(f"{ROOT}/.containerignore") if line.startswith("!")]
    present = [name for name in names if os.path.exists(f"{ROOT}/{name}")]
    archive = subprocess.run(["tar", "-C", ROOT, "--exclude=.build*", "-c", *present], check=True, stdout=-1).stdout
    subprocess.run(["tar", "-C", destination, "-x"], check=True, input=archive)


def build(stage, folder):
    """Executes the build stage on this machine; absolute paths are below the folder."""
    work = folder
    for name, text in stage:
        if name == "WORKDIR":
            work = folder + text
            os.makedirs(work)
        elif name == "COPY":
            if text.split() != [".", "."]:
                fail(f"COPY {text}: expected `COPY . .` in the build stage")
            copy_context(work)
        elif name == "RUN":
            run("/bin/sh", "-ec", text.replace(" /out/", f" {folder}/out/"), cwd=work)
        else:
            fail(f"{name} is not expected in the build stage")


def debian(base, root):
    match = re.fullmatch(r"docker\.io/library/debian:(\w+)-slim", base)
    if not match:
        fail(f"the base image {base} is not known: expected one such as docker.io/library/debian:bookworm-slim")
    run("debootstrap", "--variant=minbase", match[1], root, stdout=subprocess.DEVNULL)
    shutil.copy("/etc/resolv.conf", f"{root}/etc/resolv.conf")


def final(stage, root, artifacts):
    """Executes the final stage by chroot. Returns the configuration of the image."""
    image = {"env": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, "labels": {}}
    for name, text in stage:
        if name == "RUN":
            run("chroot", root, "/bin/sh", "-ec", text, env=image["env"] | {"DEBIAN_FRONTEND": "noninteractive"})
        elif name == "COPY":
            source, target = re.fullmatch(r"--from=build (\S+) (\S+)", text).groups()
            shutil.copy(artifacts + source, root + target)
        elif name in ("ENV", "LABEL"):
            key, value = shlex.split(text)[0].split("=", 1)
            image["env" if name == "ENV" else "labels"][key] = value
        elif name == "HEALTHCHECK":
            image["health"] = json.loads(text[text.index("CMD ") + 4 :])
        elif name in ("ENTRYPOINT", "CMD"):
            image[name.lower()] = json.loads(text)
        elif name in ("USER", "STOPSIGNAL", "EXPOSE", "ARG"):
            image[name.lower()] = text
        else:
            fail(f"{name} is not expected in the final stage")
    return image


def expect(condition, message):
    if not condition:
        fail(message)


def check(image, root):
    """Runs the program of the image, its health check, and its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    expect(image["expose"] == image["env"]["LARDER_LISTEN"].split(":")[1], "EXPOSE is not the port of LARDER_LISTEN")
    expect(image["user"].split(":")[0] not in ("0", "root"), "the image runs as root")
    env = image["env"] | {"LARDER_LISTEN": f"0.0.0.0:{port}", "LARDER_ORIGIN": "http://127.0.0.1:9"}
    inside = ["chroot", f"--userspec={image['user']}", root]
    # Swift reads the arguments of a program from /proc, which engines mount too.
    mount = f"mount -t proc proc {shlex.quote(root)}/proc && exec \"$@\""
    namespace = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-ec", mount, "sh"] + inside

    def health():
        return subprocess.run(namespace + image["health"], env=env, capture_output=True, text=True)

    before = health()
    print("    health before the start:", before.returncode, before.stderr.strip())
    expect(before.returncode == 1, f"the health check succeeds before the start: {before}")
    command = image["entrypoint"] + image["cmd"]
    log = open(f"{root}/log", "w+")
    outer = subprocess.Popen(namespace + command, env=env, stderr=log, stdout=log)
    deadline = time.monotonic() + 30
    while (answer := health()).returncode != 0:
        log.seek(0)
        expect(time.monotonic() < deadline, f"the health check does not succeed: {answer}\n{log.read()}")
        time.sleep(0.1)
    print("    health:", answer.returncode, answer.stdout.strip())
    children = open(f"/proc/{outer.pid}/task/{outer.pid}/children").read().split()
    expect(len(children) == 1, "the program is not the first process of its namespace")
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{children[0]}/status").read().splitlines() if ":\t" in line)
    expect(status["NSpid"].split()[-1] == "1", "the program is not process 1")
    expect(status["Uid"].split()[1] == image["user"].split(":")[0], "the program runs as another user")
    os.kill(int(children[0]), signal.Signals[image["stopsignal"]])
    code = outer.wait(60)
    log.seek(0)
    expect(code == 0 and "Stopped: all requests were answered" in log.read(), f"the program ended with {code}")
    after = health()
    print("    health after the stop:", after.returncode)
    expect(after.returncode == 1, f"the health check succeeds after the stop: {after}")
    size = os.path.getsize(f"{root}/usr/local/bin/larder") >> 20
    print(f"    the program ran as user {status['Uid'].split()[1]} and process 1, and has {size} MiB")
    print("    labels:", ", ".join(sorted(image["labels"])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", help="a built `larder`, in place of the build stage")
    parser.add_argument("--keep", help="a folder for the files, which is not removed")
    options = parser.parse_args()
    (_, _, first), (base, _, last) = stages(instructions(open(f"{ROOT}/Containerfile").read()))
    packages = {"debootstrap": "debootstrap", "chroot": "coreutils", "unshare": "util-linux"}
    if not options.program:
        packages["swift"] = "the toolchain of swift.org"
    missing = [f"{tool} ({package})" for tool, package in packages.items() if not shutil.which(tool)]
    if missing:
        fail("this is missing: " + ", ".join(missing), 2)
    if os.geteuid() != 0:
        fail("chroot and debootstrap need root: run this script with sudo", 2)
    folder = options.keep or tempfile.mkdtemp(prefix="larder-image-")
    try:
        artifacts, root = f"{folder}/build", f"{folder}/root"
        os.makedirs(f"{artifacts}/out")
        print("build stage" + (": left out, because there is --program" if options.program else ""), flush=True)
        if options.program:
            shutil.copy(options.program, f"{artifacts}/out/larder")
        else:
            build(first, artifacts)
        print(f"final stage, on {base}", flush=True)
        debian(base, root)
        image = final(last, root, artifacts)
        print("the program", flush=True)
        check(image, root)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("The steps of the Containerfile were executed.")


main()
