"""What `deploy/` hands out: the lock, the table of licences, the image, the compose file and the RayJob say the same as the rest of the house."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.utils import canonicalize_name

from curate.arguments import parser
from curate.recipe import parse_recipe
from deploy.licences import TABLE, installed, packages
from deploy.lock import LOCK, PINS, hashes, pins, written

DEPLOY = Path(__file__).parent.parent / "deploy"
COPYLEFT = {"certifi", "hypothesis", "pathspec", "tqdm"}
"""Under MPL-2.0, which asks to share changes of their own files only. A new one wants a look before it enters this list."""


def _only(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "additionalProperties": False}


TEXT, NUMBER, YES, ANY = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}, {"type": "object"}
WORDS = {"type": "object", "additionalProperties": TEXT}
HEAD = _only(serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, headService=ANY, enableIngress=YES, rayStartParams=WORDS, template=ANY)
WORKERS = _only(
    groupName=TEXT, replicas=NUMBER, minReplicas=NUMBER, maxReplicas=NUMBER, numOfHosts=NUMBER, rayStartParams=WORDS, template=ANY, scaleStrategy=ANY
)
CLUSTER = _only(
    headGroupSpec={**HEAD, "required": ["rayStartParams", "template"]},
    workerGroupSpecs={"type": "array", "items": {**WORKERS, "required": ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"]}},
    rayVersion=TEXT,
    enableInTreeAutoscaling=YES,
    autoscalerOptions=ANY,
    headServiceAnnotations=WORDS,
    suspend=YES,
)
JOB = _only(
    **dict.fromkeys(("entrypoint", "runtimeEnvYAML", "jobId", "entrypointResources", "schedule", "managedBy"), TEXT),
    **dict.fromkeys(("activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"), NUMBER),
    **dict.fromkeys(("shutdownAfterJobFinishes", "suspend"), YES),
    **dict.fromkeys(("submitterPodTemplate", "submitterConfig", "deletionStrategy"), ANY),
    **dict.fromkeys(("metadata", "clusterSelector"), WORDS),
    rayClusterSpec={**CLUSTER, "required": ["headGroupSpec"]},
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
    entrypointNumCpus={"type": "number"},
    entrypointNumGpus={"type": "number"},
)
"""Fields of a RayJob's spec and of what it holds, after KubeRay's types for ray.io/v1."""


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return [*yaml.safe_load_all((DEPLOY / "rayjob.yaml").read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def _pods(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    for template in (job["spec"]["submitterPodTemplate"], cluster["headGroupSpec"]["template"], *(w["template"] for w in cluster["workerGroupSpecs"])):
        yield template["spec"]


def test_the_lock_is_of_the_pins_and_each_has_hashes() -> None:
    text, pinned = LOCK.read_text(encoding="utf-8"), pins(PINS.read_text(encoding="utf-8"))
    assert pins(text) == pinned, "python -m deploy.lock writes it anew"
    assert [name for name, found in hashes(text).items() if not found] == []
    assert written(hashes(text), pinned) == text


def test_what_is_installed_is_what_is_pinned() -> None:
    pinned = pins(PINS.read_text(encoding="utf-8"))
    there = {canonicalize_name(d.metadata["Name"]): d.version.partition("+")[0] for d in packages()}
    assert {name: version for name, version in there.items() if name not in ("curate", "pip", "setuptools") and pinned.get(name) != version} == {}


def test_a_lock_is_read_as_it_is_written() -> None:
    found = {"a-b": ("0" * 64, "1" * 64), "c": ("2" * 64,)}
    text = written(found, {"c": "2.0", "a-b": "1.0+cpu"})
    assert (hashes(text), pins(text)) == (found, {"a-b": "1.0+cpu", "c": "2.0"})


def test_every_licence_is_known_and_the_table_says_so() -> None:
    rows = installed()
    lines = {line.split("\t")[0]: line for line in TABLE.read_text(encoding="utf-8").splitlines()}
    assert {row.name: lines.get(row.name) for row in rows if lines.get(row.name) != "\t".join(row)} == {}, "python -m deploy.licences writes it anew"
    assert [row.name for row in rows if row.kind == "unknown"] == []
    assert {row.name for row in rows if row.kind == "copyleft"} <= COPYLEFT


def test_a_ray_job_has_only_fields_that_there_are(documents: list[dict[str, Any]]) -> None:
    job = documents[-1]
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    jsonschema.validate(job["spec"], JOB)
    wrong = {**job["spec"], "shutdownAfterFinish": True}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, JOB)


def test_a_ray_job_runs_a_recipe_that_is_one(documents: list[dict[str, Any]]) -> None:
    recipe, disk, job = documents
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:2] == ["curate", "run"]
    options = dict(zip(words[3::2], words[4::2], strict=False))
    assert (options["--engine"], options["--out"][:5]) == ("ray", "s3://")
    args = parser().parse_args(["run", words[2], "--out", options["--out"], "--workspace", options["--workspace"], "--json"])
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    mounts = {m["mountPath"]: m["name"] for m in head["containers"][0]["volumeMounts"]}
    volume = next(v for v in head["volumes"] if v["name"] == mounts[str(args.recipe.parent)])
    assert volume["configMap"]["name"] == recipe["metadata"]["name"]
    assert parse_recipe(yaml.safe_load(recipe["data"][args.recipe.name]), "rayjob.yaml").signals
    assert options["--workspace"].startswith("/data/")
    assert disk["spec"]["accessModes"] == ["ReadWriteMany"]
    for pod in [*_pods(job)][1:]:
        shared = {v["name"] for v in pod["volumes"] if v.get("persistentVolumeClaim", {}).get("claimName") == disk["metadata"]["name"]}
        assert {m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if m["name"] in shared} == {"/data"}


def test_nodes_have_the_ray_and_the_image_that_are_pinned(documents: list[dict[str, Any]], compose: dict[str, Any]) -> None:
    job = documents[-1]
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pins(PINS.read_text(encoding="utf-8"))["ray"]
    images = {c["image"] for pod in _pods(job) for c in pod["containers"]} | {compose["services"]["app"]["image"]}
    assert images == {"curate:0.1.0"}
    tagged = re.compile(r"^[\w./-]+:[\w.-]*\d[\w.-]*$")
    assert all(tagged.match(service["image"]) for service in compose["services"].values())


def test_nothing_runs_as_root(documents: list[dict[str, Any]], compose: dict[str, Any]) -> None:
    for pod in _pods(documents[-1]):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        for container in pod["containers"]:
            assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert all(int(service["user"].partition(":")[0]) for service in compose["services"].values())
    assert (DEPLOY / "Dockerfile").read_text(encoding="utf-8").rpartition("USER ")[2].startswith("10001")


def test_the_compose_file_opens_a_port_on_this_machine_only_and_asks_for_health(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for service in compose["services"].values():
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["cap_drop"] == ["ALL"]
    assert compose["services"]["proxy"]["network_mode"] == "service:app"
    parser().parse_args(compose["services"]["app"]["command"])


def test_the_image_takes_what_there_is() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    let_in = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    assert {*copied} == let_in
    assert [name for name in copied if not (DEPLOY.parent / name).exists()] == []
    assert re.match(r"FROM python:3\.\d+\.\d+-slim-\w+$", next(line for line in lines if line.startswith("FROM ")))
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
