"""What .ci/deploy looks at by itself: schemas, and whether the program takes the settings that files give it.

    deploy.py CHECK FILE...
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import kubernetes_validate
import yaml

KUBERNETES = "1.37"
PROGRAM = Path("target/debug/chancery").absolute()
# What stands for a secret.
SECRETS = {
    "CHANCERY_DATABASE_URL": "postgres://chancery:secret@db.internal/chancery",
    "CHANCERY_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
    "CHANCERY_MAIL__SMTP_URL": "smtps://user:secret@mail.example.com",
}


class Wrong(Exception):
    """What is wrong, for people."""


def documents(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def settings(where, environment, file=None):
    """The configuration that the program makes of these, or what it says against them."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: str(value) for name, value in environment.items() if name.startswith("CHANCERY_")}
        if file is not None:
            path = Path(folder) / "chancery.toml"
            path.write_text(file, encoding="utf-8")
            environment["CHANCERY_CONFIG"] = str(path)
        done = subprocess.run(
            [PROGRAM, "config"], env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Wrong(f"{where}: {done.stderr.strip()}")
        return tomllib.loads(done.stdout)


def waits(where, seconds, config):
    hard = config["shutdown"]["hard_seconds"]
    if seconds <= hard:
        raise Wrong(f"{where}: waits {seconds} s for a server that takes {hard} s to stop")


def kubernetes(path):
    """Every object fits the schema of Kubernetes."""
    for document in documents(path):
        name = f"{document['kind']} {document['metadata']['name']}"
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            operators(name, document)
        except kubernetes_validate.ValidationError as error:
            raise Wrong(f"{name}: {'.'.join(map(str, error.path))}: {error.message}") from error


def chart(path):
    """Every container of the chart gets settings that the program takes."""
    objects = documents(path)
    files = {o["metadata"]["name"]: o["data"]["chancery.toml"] for o in objects if o["kind"] == "ConfigMap"}
    found = 0
    for o in objects:
        if o["kind"] not in ("Deployment", "Job"):
            continue
        pod = o["spec"]["template"]["spec"]
        volumes = {v["name"]: v for v in pod.get("volumes", [])}
        [container] = pod["containers"]
        names = [variable["name"] for variable in container["env"]]
        if len(names) != len(set(names)):
            raise Wrong(f"{o['kind']}: a variable stands twice: {names}")
        environment = {v["name"]: v["value"] if "value" in v else SECRETS[v["name"]] for v in container["env"]}
        file = None
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                raise Wrong(f"{o['kind']}: no volume is called {mount['name']}")
            if mount["mountPath"] == "/etc/chancery":
                file = files[volumes[mount["name"]]["configMap"]["name"]]
        where = f"{o['kind']} {o['metadata']['name']}"
        tables = set(tomllib.loads(file or "")) | {n.split("__")[0].removeprefix("CHANCERY_").lower() for n in names}
        later = tables & {"tls", "mesh"} - set(settings("nothing", {}))
        if later:
            print(f"NOT CHECKED: the settings of {where}, since this program has no {', '.join(sorted(later))}")
            continue
        # The image's own come first.
        config = settings(where, {**image_environment(), **environment}, file)
        if o["kind"] == "Deployment":
            waits(where, pod["terminationGracePeriodSeconds"], config)
        found += 1
    print(f"{found} containers")


def image_environment():
    """The variables that the image sets."""
    text = Path("deploy/container/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def image(folder):
    """Copies what the builder copies, and nothing else; what it copies is not left out by the list of what goes in."""
    text = Path("deploy/container/Dockerfile").read_text(encoding="utf-8")
    build = text.split("\nFROM ")[1]
    allowed = Path("deploy/container/Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    for line in re.findall(r"^COPY (?!--from)(.*)$", build, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            if f"!{source}" not in allowed:
                raise Wrong(f"{source} is copied, and Dockerfile.dockerignore leaves it out")
            to = Path(folder) / (source if target == "./" else target)
            to.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if Path(source).is_dir() else shutil.copy)(source, to)
    # Files that code takes in while it is compiled.
    for code in Path(folder).glob("**/*.rs"):
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', code.read_text(encoding="utf-8")):
            if not (code.parent / name).exists():
                raise Wrong(f"{code.relative_to(folder)} takes in {name}, which is not copied")
    settings("the image", {**image_environment(), "CHANCERY_ALLOW_PLAINTEXT": "true"})


def compose(path):
    """The servers get settings that the program takes, and every file that is mounted is there."""
    [whole] = documents(path)
    file = Path("deploy/compose/chancery.toml").read_text(encoding="utf-8")
    # What `prepare` makes.
    made = {Path("deploy/compose", name).absolute() for name in ("secrets", "envoy")}
    for name, service in whole["services"].items():
        for mount in service.get("volumes", []):
            source = Path(mount["source"] if isinstance(mount, dict) else mount.split(":")[0])
            if not source.is_absolute() or made & {source, *source.parents}:
                continue
            if not source.exists():
                # Those of others, which may not be here yet; .ci/deploy says so.
                if source.parent.name in ("envoy", "deploy"):
                    print(f"NOT CHECKED: {name} mounts {source.name}, which is not here")
                    continue
                raise Wrong(f"{name} mounts {source}, which is not there")
        if service["image"].startswith("chancery:"):
            given = service.get("environment", {})
            own = file if "CHANCERY_CONFIG" in given else None
            config = settings(name, {**image_environment(), **given}, own)
            if name == "chancery":
                grace = re.fullmatch(r"(\d+)s", service["stop_grace_period"])
                waits(name, int(grace[1]), config)


def unit(path):
    """The service gets settings that the program takes, and is waited for."""
    text = Path(path).read_text(encoding="utf-8")
    environment = dict(pair.split("=", 1) for pair in re.findall(r"^Environment=(.*)$", text, re.MULTILINE))
    file = Path(path).with_suffix(".toml").read_text(encoding="utf-8")
    config = settings("the unit", environment, file)
    waits("the unit", int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)[1]), config)


def operators(where, document):
    """An object that is not of Kubernetes itself fits the schema of whoever it is of."""
    # Large, and wanted seldom.
    from cloudcoil.models.istio.networking import v1 as networking
    from cloudcoil.models.istio.security import v1 as security
    from cloudcoil.models.prometheus_operator import v1 as monitoring
    from pydantic import ValidationError

    rooms = {
        "networking.istio.io/v1": networking,
        "security.istio.io/v1": security,
        "monitoring.coreos.com/v1": monitoring,
    }
    room = rooms.get(document["apiVersion"])
    if room is None:
        raise Wrong(f"{where}: no schema is known of {document['apiVersion']}")
    try:
        getattr(room, document["kind"]).model_validate(document, extra="forbid")
    except ValidationError as error:
        raise Wrong(f"{where}: {document['kind']}: {error}") from error


def istio(folder):
    """Every object fits the schema of Istio, and the provider is the one that the policy asks, and refuses soon."""
    asked = set()
    for path in (Path(folder, "chancery.yaml"), Path(folder, "workload.yaml")):
        for document in documents(path):
            operators(path, document)
            if document["spec"].get("action") == "CUSTOM":
                asked.add(document["spec"]["provider"]["name"])
    [mesh] = documents(Path(folder, "mesh-config.yaml"))
    providers = {p["name"]: p["envoyExtAuthzGrpc"] for p in mesh["meshConfig"]["extensionProviders"]}
    if asked != set(providers):
        raise Wrong(f"policies ask {asked}, and the mesh knows {set(providers)}")
    for name, provider in providers.items():
        known = {"service", "port", "timeout", "statusOnError", "failOpen", "clearRouteCache",
                 "includeRequestBodyInCheck"}
        if not {"service", "port", "timeout", "statusOnError"} <= set(provider) <= known:
            raise Wrong(f"provider {name}: {sorted(provider)}")
        if provider["statusOnError"] != "503" or provider.get("failOpen", False):
            raise Wrong(f"provider {name} lets pass, or refuses, where it cannot ask")


def versions():
    """One version everywhere."""
    cargo = tomllib.loads(Path("Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    [chart] = documents("deploy/helm/chancery/Chart.yaml")
    dockerfile = Path("deploy/container/Dockerfile").read_text(encoding="utf-8")
    compose = Path("deploy/compose/compose.yaml").read_text(encoding="utf-8")
    found = {
        "Chart.yaml": chart["appVersion"],
        "Dockerfile": re.search(r"^ARG VERSION=(.*)$", dockerfile, re.MULTILINE)[1],
        "compose.yaml": re.search(r"CHANCERY_VERSION:-([^}]*)}", compose)[1],
    }
    rust = tomllib.loads(Path("Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["rust-version"]
    if re.search(r"^ARG RUST=(.*)$", dockerfile, re.MULTILINE)[1] != rust:
        raise Wrong(f"the image is built by another Rust than {rust}")
    other = {name: version for name, version in found.items() if version != cargo}
    if other:
        raise Wrong(f"the version is {cargo}, but {json.dumps(other)}")


CHECKS = {c.__name__: c for c in (kubernetes, chart, image, compose, unit, istio, versions)}

if __name__ == "__main__":
    try:
        CHECKS[sys.argv[1]](*sys.argv[2:])
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(1)
