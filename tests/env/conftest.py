import asyncio

import pytest
from env_project import TASK

from envs_archive.coding.workspace import make_workspace, prepare_base
from evals.utils.sandbox import SandboxUnavailable, probe


def available(kind):
    try:
        return probe(kind)
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return asyncio.run(prepare_base(TASK, tmp_path_factory.mktemp("bases") / "shapes-01"))


@pytest.fixture
def workspace(base, tmp_path):
    return make_workspace(base, tmp_path / "workspace")


@pytest.fixture(params=["bwrap", "process"])
def kind(request):
    return available(request.param)


@pytest.fixture(scope="session")
def best_kind():
    return probe("auto")
