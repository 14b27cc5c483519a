"""cluster.yaml, the Kubernetes manifest and its image say the same, and the tools they are for agree."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml
from click.testing import CliRunner

ROOT = Path(__file__).parents[1]
PINNED_RAY = "2.60.0"


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    """cluster.yaml as written."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def prepared(cluster: dict[str, Any]) -> dict[str, Any]:
    """cluster.yaml as Ray's launcher completes it."""
    assert ray.__version__ == PINNED_RAY, "prepare_config is private: look at it again before raising the pin"
    from ray.autoscaler._private.util import prepare_config

    completed: dict[str, Any] = prepare_config(cluster)
    return completed


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """The RayJob manifest."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "kubernetes/rayjob.yaml").read_text(encoding="utf-8"))
    return content


def node_types(cluster: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from cluster["available_node_types"].values()


def amount_of(container: dict[str, Any], resource: str) -> Any:
    """What a container asks for; requests and limits must not differ, or the scheduler overbooks the node."""
    assert container["resources"]["requests"] == container["resources"]["limits"]
    return container["resources"]["limits"].get(resource)


def test_ray_accepts_the_cluster_file(prepared: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import validate_config

    validate_config(prepared)


def test_ray_would_refuse_a_misspelt_key_and_a_missing_head(prepared: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import validate_config

    with pytest.raises(Exception, match="max_worker"):
        validate_config({**prepared, "max_worker": 3})
    with pytest.raises(ValueError, match="head_node_type"):
        validate_config({**prepared, "head_node_type": "heads"})


def test_workers_have_gpus_are_spot_and_come_only_when_there_is_work(cluster: dict[str, Any]) -> None:
    head_name = cluster["head_node_type"]
    workers = [node for name, node in cluster["available_node_types"].items() if name != head_name]
    assert workers
    for worker in workers:
        assert worker["resources"]["GPU"] >= 1
        assert worker["min_workers"] == 0
        assert 1 <= worker["max_workers"] <= cluster["max_workers"]
        assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert cluster["idle_timeout_minutes"] > 0


def test_the_head_is_on_demand_and_takes_no_work(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert head["max_workers"] == 0
    assert "InstanceMarketOptions" not in head["node_config"]


def test_ray_adds_no_set_up_command_of_its_own(cluster: dict[str, Any], prepared: dict[str, Any]) -> None:
    for kind in ("head_setup_commands", "worker_setup_commands"):
        assert prepared[kind] == cluster["setup_commands"]


def test_every_start_command_raises_the_limit_of_open_files(cluster: dict[str, Any]) -> None:
    for kind in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [command for command in cluster[kind] if "ray start" in command]
        assert len(starts) == 1
        assert re.match(r"ulimit -n \d{5,};", starts[0])


def test_the_dashboard_is_reachable_from_the_head_alone_and_wants_the_token(cluster: dict[str, Any]) -> None:
    assert any("--dashboard-host=127.0.0.1" in command for command in cluster["head_start_ray_commands"])
    assert "~/.ray/auth_token" in cluster["file_mounts"]
    assert any("RAY_AUTH_MODE=token" in command for command in cluster["setup_commands"])


def test_every_file_that_is_sent_exists(cluster: dict[str, Any]) -> None:
    mounts = {remote: local for remote, local in cluster["file_mounts"].items() if local[0] != "~"}
    assert all((ROOT / local).exists() for local in mounts.values())
    assert all(remote == f"~/undertone/{local}" for remote, local in mounts.items())


def test_aws_accepts_every_node_type(
    prepared: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's own AWS provider creates key, network and instances; a simulated AWS checks each parameter."""
    from moto import mock_aws
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)  # the S3 server of other tests is no AWS
    with mock_aws():
        import boto3

        boto3.client("iam").create_instance_profile(InstanceProfileName="undertone")
        config = bootstrap_aws(prepared)
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        for name, node in config["available_node_types"].items():
            provider.create_node(node["node_config"], {"ray-user-node-type": name}, 1)
        instances = list(boto3.resource("ec2", region_name=config["provider"]["region"]).instances.all())
    assert {instance.instance_type for instance in instances} == {
        node["node_config"]["InstanceType"] for node in node_types(prepared)
    }


def test_one_version_of_ray_stands_everywhere(manifest: dict[str, Any]) -> None:
    assert ray.__version__ == PINNED_RAY
    assert manifest["spec"]["rayClusterSpec"]["rayVersion"] == PINNED_RAY
    assert f'"ray[default]=={PINNED_RAY}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"\nray=={PINNED_RAY}\n" in (ROOT / "requirements/lock.txt").read_text(encoding="utf-8")


def test_the_manifest_scales_gpu_workers_from_none_and_cleans_up(
    manifest: dict[str, Any], cluster: dict[str, Any]
) -> None:
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayJob")
    spec = manifest["spec"]
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["rayClusterSpec"]["enableInTreeAutoscaling"] is True
    (group,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["replicas"], group["minReplicas"]) == (0, 0)
    assert group["maxReplicas"] == cluster["max_workers"]
    (container,) = group["template"]["spec"]["containers"]
    assert amount_of(container, "nvidia.com/gpu") == 1


def test_every_pod_has_shared_memory_and_the_same_image(manifest: dict[str, Any]) -> None:
    ray_cluster = manifest["spec"]["rayClusterSpec"]
    images = set()
    for group in (ray_cluster["headGroupSpec"], *ray_cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        images.add(container["image"])
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        in_memory = [volume["name"] for volume in pod["volumes"] if volume["emptyDir"]["medium"] == "Memory"]
        assert [mounted[name] for name in in_memory] == ["/dev/shm"]
    assert len(images) == 1


def test_the_head_pod_takes_no_work_and_its_open_dashboard_wants_a_token(manifest: dict[str, Any]) -> None:
    ray_cluster = manifest["spec"]["rayClusterSpec"]
    assert ray_cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert ray_cluster["authOptions"] == {"mode": "token"}


def test_the_image_holds_what_the_cluster_file_sends(cluster: dict[str, Any]) -> None:
    dockerfile = (ROOT / "kubernetes/Dockerfile").read_text(encoding="utf-8")
    copied = {
        word for line in re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE) for word in line.split()
    }
    assert copied == {local for local in cluster["file_mounts"].values() if local[0] != "~"}
    assert "make setup ACCELERATOR=cuda" in dockerfile


def test_the_job_of_the_manifest_is_a_legal_command(manifest: dict[str, Any]) -> None:
    """Only --help is added, so that click reads every option before it and computes nothing."""
    from jobs.cli.main import undertone

    program, *arguments = shlex.split(manifest["spec"]["entrypoint"])
    assert program == "undertone"
    result = CliRunner().invoke(undertone, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


def test_the_launcher_and_the_manifest_use_plain_json_values(
    cluster: dict[str, Any], manifest: dict[str, Any]
) -> None:
    """YAML reads `no` as false and a bare date as a date; nothing of that kind may slip in."""
    assert json.loads(json.dumps(cluster)) == cluster
    assert json.loads(json.dumps(manifest)) == manifest
